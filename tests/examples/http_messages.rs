//! The HTTP parser and writer of the examples: valid and invalid messages, in one piece, byte by byte, in pieces of
//! random sizes, and sent to a server.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{
    decode, encode, write_request, Fault, Request, Requests, Response, Responses, Status, MAX_BODY, MAX_HEAD,
};
use crate::server::{Background, Limits, Server};
use crate::support::{loopback, WAIT_LIMIT};

/// The result of parsing a stream of requests.
#[derive(Debug, PartialEq)]
struct Parsed {
    requests: Vec<Request>,
    /// Whether the stream ends within a request, or the error that ended the parsing.
    end: Result<bool, Status>,
}

/// Parses a stream that arrives in pieces.
fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = Requests::default();
    let mut requests = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.take() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(status) => return Parsed { requests, end: Err(status) },
            }
        }
    }
    Parsed { requests, end: Ok(parser.is_midway()) }
}

fn parse_whole(stream: impl AsRef<[u8]>) -> Parsed {
    parse([stream.as_ref()])
}

fn parse_bytewise(stream: impl AsRef<[u8]>) -> Parsed {
    parse(stream.as_ref().chunks(1))
}

fn get(path: &str) -> Request {
    Request { method: "GET".into(), path: path.into(), keep_alive: true }
}

/// Parses a stream in one piece and byte by byte. Returns the error, which must be the same.
fn parse_error(stream: impl AsRef<[u8]>) -> Option<Status> {
    let parsed = parse_whole(&stream);
    assert_eq!(parsed, parse_bytewise(&stream), "the result depends on the pieces");
    parsed.end.err()
}

#[test]
fn a_request_is_complete_with_its_last_byte() {
    let bytes = b"GET /100/hello HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n";
    let (last, others) = bytes.split_last().unwrap();
    let mut parser = Requests::default();
    assert!(!parser.is_midway());
    for &byte in others {
        parser.push(&[byte]);
        assert_eq!(parser.take(), Ok(None));
        assert!(parser.is_midway());
    }
    parser.push(&[*last]);
    assert_eq!(parser.take(), Ok(Some(get("/100/hello"))));
    assert_eq!(parser.take(), Ok(None));
    assert!(!parser.is_midway());
}

#[test]
fn requests_that_arrive_together_are_returned_one_by_one() {
    let parsed = parse_whole("GET /1/a HTTP/1.1\r\n\r\nGET /2/b HTTP/1.1\r\n\r\nGET /3/c HT");
    assert_eq!(parsed, Parsed { requests: vec![get("/1/a"), get("/2/b")], end: Ok(true) });
}

#[test]
fn the_version_and_the_connection_field_determine_keep_alive() {
    let table = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "connection: CLOSE\r\n", false),
        ("HTTP/1.1", "Connection: keep-alive\r\n", true),
        ("HTTP/1.1", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.1", "Connection: upgrade ,\tclose\r\n", false),
        ("HTTP/1.1", "Connection: closed\r\n", true),
        ("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("HTTP/1.2", "", true),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, fields, keep_alive) in table {
        let parsed = parse_whole(format!("GET / {version}\r\n{fields}\r\n"));
        assert_eq!(parsed.requests, [Request { keep_alive, ..get("/") }], "{version} {fields}");
    }
}

#[test]
fn an_invalid_request_is_an_error() {
    let first_lines = [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET / / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /a\tb HTTP/1.1",
        "GET /\u{a0} HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.",
        "GET / FTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\x1b[2J HTTP/1.1",
        "\u{16}\u{3}\u{1}",
    ];
    for line in first_lines {
        assert_eq!(parse_error(format!("{line}\r\n\r\n")), Some(Status::BAD_REQUEST), "{line:?}");
    }
    let fields =
        ["no colon", ": no name", "a b: c", "a : b", " folded", "\tfolded", "a\0: b", "a: b\0", "a: b\rc: d", "ä: b"];
    for field in fields {
        assert_eq!(
            parse_error(format!("GET / HTTP/1.1\r\nA: b\r\n{field}\r\n\r\n")),
            Some(Status::BAD_REQUEST),
            "{field:?}"
        );
    }
    assert_eq!(parse_error(b"GET /\xff HTTP/1.1\r\n\r\n"), Some(Status::BAD_REQUEST));
    assert_eq!(parse_error("GET / HTTP/2.0\r\n\r\n"), Some(Status::VERSION_NOT_SUPPORTED));
}

#[test]
fn a_line_feed_without_a_carriage_return_is_an_error() {
    for stream in ["GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1\r\nA: b\n", "GET / HTTP/1.1\r\n\n"] {
        assert_eq!(parse_error(stream), Some(Status::BAD_REQUEST), "{stream:?}");
    }
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    let parsed = parse_bytewise("\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n");
    assert_eq!(parsed, Parsed { requests: vec![get("/"), get("/")], end: Ok(false) });
}

/// Returns a request whose head has this length.
fn head_of_length(length: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nA: ", "\r\n\r\n");
    format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
}

#[test]
fn a_head_of_more_than_eight_kibibytes_is_an_error() {
    assert_eq!(MAX_HEAD, 8 * 1024);
    assert_eq!(parse_whole(head_of_length(MAX_HEAD)).requests, [get("/")]);
    assert_eq!(parse_bytewise(head_of_length(MAX_HEAD)).requests, [get("/")]);
    assert_eq!(parse_error(head_of_length(MAX_HEAD + 1)), Some(Status::HEADER_TOO_LARGE));
    assert_eq!(parse_error("x".repeat(MAX_HEAD)), Some(Status::HEADER_TOO_LARGE));
    assert_eq!(parse_error("x".repeat(MAX_HEAD - 1)), None);
    assert_eq!(
        parse_error("GET / HTTP/1.1\r\n".to_owned() + &"A: b\r\n".repeat(MAX_HEAD)),
        Some(Status::HEADER_TOO_LARGE)
    );
}

#[test]
fn the_size_limit_applies_to_each_head() {
    let long = head_of_length(MAX_HEAD);
    assert_eq!(parse_whole(long.repeat(3)).requests, [get("/"), get("/"), get("/")]);
    assert_eq!(parse_whole("\r\n".to_owned() + &long).requests, [get("/")]);
}

#[test]
fn a_body_is_skipped_and_not_parsed_as_a_request() {
    let body = "GET /0/smuggled HTTP/1.1\r\n\r\n";
    let stream =
        format!("POST / HTTP/1.1\r\ncontent-length:  {} \r\n\r\n{body}GET /0/next HTTP/1.1\r\n\r\n", body.len());
    let post = Request { method: "POST".into(), ..get("/") };
    for parsed in [parse_whole(&stream), parse_bytewise(&stream)] {
        assert_eq!(parsed, Parsed { requests: vec![post.clone(), get("/0/next")], end: Ok(false) });
    }
}

#[test]
fn a_request_with_a_body_is_complete_with_the_last_byte_of_the_body() {
    let mut parser = Requests::default();
    parser.push(b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n12");
    assert_eq!(parser.take(), Ok(None));
    assert!(parser.is_midway());
    parser.push(b"3");
    assert_eq!(parser.take(), Ok(Some(get("/"))));
    assert!(!parser.is_midway());
}

#[test]
fn an_invalid_or_repeated_content_length_is_an_error() {
    let values = ["", "+5", "-5", "5, 5", "5 5", "0x5", "5.0", "five", "99999999999999999999999"];
    for value in values {
        let stream = format!("GET / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
        assert_eq!(parse_error(stream), Some(Status::BAD_REQUEST), "{value:?}");
    }
    let twice = "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(parse_error(twice), Some(Status::BAD_REQUEST));
}

#[test]
fn a_body_that_is_too_long_is_an_error() {
    let head = |length| format!("GET / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(parse_error(head(MAX_BODY)), None);
    assert_eq!(parse_error(head(MAX_BODY + 1)), Some(Status::CONTENT_TOO_LARGE));
    assert_eq!(parse_whole(head(MAX_BODY) + &"x".repeat(MAX_BODY)).requests, [get("/")]);
}

#[test]
fn a_transfer_encoding_is_an_error_with_and_without_a_content_length() {
    for fields in ["", "Content-Length: 5\r\n"] {
        let stream = format!("GET / HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(parse_error(stream), Some(Status::NOT_IMPLEMENTED));
    }
}

/// Returns the time to parse a head of this length four times, byte by byte.
fn time_to_parse(length: usize) -> Duration {
    let head = head_of_length(length);
    let start = Instant::now();
    for _ in 0..4 {
        assert_eq!(parse_bytewise(&head).requests.len(), 1);
    }
    start.elapsed()
}

#[test]
fn the_time_to_parse_a_head_byte_by_byte_grows_linearly() {
    // A parser that searches the whole head again for each byte takes 256 times as long for 16 times the length. Other
    // programs can disturb some measurements, but not all of them.
    let is_linear = |_| time_to_parse(MAX_HEAD) < 80 * time_to_parse(MAX_HEAD / 16);
    assert!((0..100).any(is_linear), "16 times the length takes more than 80 times as long");
}

#[test]
fn decoding_an_encoded_path_returns_the_text() {
    for text in ["", "hello", "two words", "a/b", "100 %", "%41", "ä €", "a?b#c&d+e", "\r\n\0"] {
        assert_eq!(decode(&encode(text)).as_deref(), Some(text.as_bytes()), "{text:?}");
        assert!(encode(text).bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    }
    assert_eq!(decode("%e2%82%AC").as_deref(), Some("€".as_bytes()));
    for path in ["%", "a%4", "%zz", "%4g", "%+5", "%%41"] {
        assert_eq!(decode(path), None, "{path:?}");
    }
}

#[test]
fn a_written_request_can_be_parsed() {
    let bytes = write_request(loopback(), &format!("/5/{}", encode("a b")));
    assert_eq!(parse_whole(bytes).requests, [Request { keep_alive: false, ..get("/5/a%20b") }]);
}

/// Parses a stream of responses that arrives in pieces. Returns the responses and the error.
fn parse_responses<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Response>, Option<Fault>) {
    let mut parser = Responses::default();
    let mut responses = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.take() {
                Ok(Some(response)) => responses.push(response),
                Ok(None) => break,
                Err(fault) => return (responses, Some(fault)),
            }
        }
    }
    (responses, None)
}

fn write_response(status: Status, body: &str, keep_alive: bool) -> Vec<u8> {
    let mut out = Vec::new();
    status.write_head(body.len(), keep_alive, &mut out);
    out.extend_from_slice(body.as_bytes());
    out
}

#[test]
fn written_responses_can_be_parsed() {
    let first = write_response(Status::OK, "HTTP/1.1 200 OK\r\n\r\n", true);
    let second = write_response(Status::NOT_FOUND, "", false);
    let stream = [first, second].concat();
    let expected = [
        Response { status: 200, body: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), keep_alive: true },
        Response { status: 404, body: Vec::new(), keep_alive: false },
    ];
    for (responses, fault) in [parse_responses([&stream[..]]), parse_responses(stream.chunks(1))] {
        assert_eq!(responses, expected);
        assert_eq!(fault, None);
    }
}

#[test]
fn the_response_to_a_wrong_method_names_the_allowed_ones() {
    let response = String::from_utf8(write_response(Status::METHOD_NOT_ALLOWED, "", true)).unwrap();
    assert!(response.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{response}");
    assert!(response.contains("\r\nAllow: GET, HEAD\r\n"), "{response}");
    assert!(!String::from_utf8(write_response(Status::OK, "", true)).unwrap().contains("Allow"));
}

#[test]
fn an_invalid_response_is_an_error() {
    let table = [
        ("HTTP/1.1 200 OK\r\n\r\n", Fault::Malformed),
        ("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", Fault::Malformed),
        ("HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", Fault::Malformed),
        ("HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", Fault::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Fault::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", Fault::TooLong),
        ("SSH-2.0-OpenSSH\r\n\r\n", Fault::Malformed),
    ];
    for (stream, fault) in table {
        assert_eq!(parse_responses([stream.as_bytes()]), (Vec::new(), Some(fault)), "{stream:?}");
    }
}

// Random messages.

/// A random number generator with a seed: xorshift64*.
struct Random(u64);

impl Random {
    /// Uses the seed `MINIMIO_FUZZ_SEED`, or else the time. A test that fails prints its seed.
    fn new() -> Random {
        let seed = match env::var("MINIMIO_FUZZ_SEED") {
            Ok(seed) => seed.parse().expect("MINIMIO_FUZZ_SEED is not a number"),
            Err(_) => {
                let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                age.as_nanos() as u64
            }
        };
        println!("to repeat this run: MINIMIO_FUZZ_SEED={seed}");
        // With the state zero, all numbers would be zero.
        Random(seed | 1 << 63)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn number(&mut self, range: Range<usize>) -> usize {
        let high = self.next() >> 32;
        range.start + high as usize % (range.end - range.start)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.number(0..many) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.number(0..of.len())]
    }
}

/// Returns a random valid request.
fn random_request(random: &mut Random) -> Vec<u8> {
    let method = random.pick(&["GET", "GET", "GET", "POST", "HEAD", "BREW", "M-SEARCH"]);
    let path = random.pick(&["/0/hello", "/0/", "/7/a%20b", "/100/x", "/", "*", "/x/y", "/99999/no", "/0/%zz", "/0/ä"]);
    let version = random.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let mut request = format!("{method} {path} {version}\r\n");
    for _ in 0..random.number(0..4) {
        let fields =
            ["Host: here\r\n", "connection: keep-alive\r\n", "CONNECTION:close\r\n", "X-Y:\t \r\n", "a:b:c\r\n"];
        request += random.pick(&fields);
    }
    if random.one_in(20) {
        request += &format!("Long: {}\r\n", "y".repeat(random.number(1..8500)));
    }
    let length = if random.one_in(3) { random.number(0..200) } else { 0 };
    if length > 0 {
        request += &format!("Content-Length: {length}\r\n");
    }
    request += "\r\n";
    let mut request = request.into_bytes();
    request.extend((0..length).map(|_| random.next() as u8));
    request
}

fn random_requests(random: &mut Random) -> Vec<u8> {
    (0..random.number(1..6)).flat_map(|_| random_request(random)).collect()
}

/// Changes, inserts or removes a few bytes or lines.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.number(1..5) {
        let at = random.number(0..bytes.len() + 1);
        match random.number(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next() as u8),
            2 => drop(bytes.drain(at..usize::min(at + random.number(0..20), bytes.len()))),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.number(0..8),
            _ => {
                let pieces: [&[u8]; 12] = [
                    b"\r\n",
                    b"\r",
                    b"\n",
                    b"\0",
                    b" ",
                    b":",
                    b"\r\n\r\n",
                    b"Content-Length: 7\r\n",
                    b"HTTP/1.1",
                    b"Transfer-Encoding: chunked\r\n",
                    b"\xff",
                    b"GET /0/in HTTP/1.1\r\n\r\n",
                ];
                let piece = random.pick(&pieces);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

fn random_pieces<'a>(mut bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let longest = random.pick(&[&2, &10, &100, &10_000]);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.number(1..longest + 1).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

const ROUNDS: usize = 3000;

#[test]
fn the_division_into_pieces_does_not_change_parsed_requests() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let stream = random_requests(&mut random);
        let whole = parse_whole(&stream);
        assert!(!whole.requests.is_empty() || whole.end == Err(Status::HEADER_TOO_LARGE), "round {round}: {whole:?}");
        assert_eq!(parse(random_pieces(&stream, &mut random)), whole, "round {round}: {}", stream.escape_ascii());
    }
}

#[test]
fn the_division_into_pieces_does_not_change_the_errors_of_invalid_requests() {
    let mut random = Random::new();
    let mut invalid = 0;
    for round in 0..ROUNDS {
        let mut stream = random_requests(&mut random);
        mutate(&mut stream, &mut random);
        let whole = parse_whole(&stream);
        invalid += usize::from(whole.end.is_err());
        // The shortest request has 16 bytes: `A / HTTP/1.1` and two line ends.
        assert!(whole.requests.len() <= stream.len() / 16, "round {round}: {}", stream.escape_ascii());
        assert_eq!(parse(random_pieces(&stream, &mut random)), whole, "round {round}: {}", stream.escape_ascii());
    }
    assert!(invalid > ROUNDS / 10, "only {invalid} streams were invalid");
}

#[test]
fn parsing_a_request_consumes_no_byte_after_it() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let first = random_request(&mut random);
        let mut second = random_requests(&mut random);
        mutate(&mut second, &mut random);
        let stream = [&first[..], &second].concat();
        let (first, second, both) = (parse_whole(&first), parse_whole(&second), parse_whole(&stream));
        if first.end.is_ok() {
            let requests = [first.requests, second.requests].concat();
            assert_eq!(both, Parsed { requests, end: second.end }, "round {round}: {}", stream.escape_ascii());
        }
    }
}

#[test]
fn the_division_into_pieces_does_not_change_parsed_responses() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let mut stream: Vec<u8> = (0..random.number(1..5))
            .flat_map(|_| write_response(Status::OK, &"z".repeat(random.number(0..300)), random.one_in(2)))
            .collect();
        if random.one_in(2) {
            mutate(&mut stream, &mut random);
        }
        let whole = parse_responses([&stream[..]]);
        assert_eq!(
            parse_responses(random_pieces(&stream, &mut random)),
            whole,
            "round {round}: {}",
            stream.escape_ascii()
        );
    }
}

#[test]
fn a_server_survives_invalid_requests_and_keeps_no_connection_open() {
    let server = Background::start(Server::bind(loopback(), Limits::default(), io::sink()).unwrap()).unwrap();
    let mut random = Random::new();
    for _ in 0..400 {
        let mut stream = random_requests(&mut random);
        if !random.one_in(4) {
            mutate(&mut stream, &mut random);
        }
        send_and_disconnect(&server, &random_pieces(&stream, &mut random), &mut random)
            .expect("the server does not accept connections");
    }

    let end = Instant::now() + WAIT_LIMIT;
    while server.connections() > 0 {
        assert!(Instant::now() < end, "{} connections are still open", server.connections());
        thread::sleep(Duration::from_millis(1));
    }
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    client.write_all(&write_request(server.addr(), "/1/alive")).unwrap();
    let mut response = Vec::new();
    client.read_to_end(&mut response).unwrap();
    assert!(response.ends_with(b"alive\n"), "{}", response.escape_ascii());
    server.stop().unwrap();
}

/// Sends the pieces, reads the responses or not, and closes the connection. Returns only errors of connecting: later,
/// the server may close the connection at any time.
fn send_and_disconnect(server: &Background, pieces: &[&[u8]], random: &mut Random) -> io::Result<()> {
    let mut client = TcpStream::connect(server.addr())?;
    client.set_read_timeout(Some(WAIT_LIMIT))?;
    client.set_write_timeout(Some(WAIT_LIMIT))?;
    client.set_nodelay(true)?;
    for piece in pieces {
        if client.write_all(piece).is_err() {
            return Ok(());
        }
    }
    if random.one_in(2) && client.shutdown(Shutdown::Write).is_ok() {
        // When the server reads the end, it closes the connection.
        let end = io::copy(&mut client, &mut io::sink());
        let timed_out =
            matches!(&end, Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        assert!(!timed_out, "the server has not closed a connection that its client has ended");
    }
    Ok(())
}
