//! The HTTP of the examples: what is a request and what is not, however the bytes are cut, and whoever sends them.

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

/// What a server makes of a stream: requests, and at its end perhaps an error or the beginning of one more.
#[derive(Debug, PartialEq)]
struct Reading {
    requests: Vec<Request>,
    end: Result<bool, Status>,
}

/// Reads a stream that arrives in pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    let mut parser = Requests::default();
    let mut requests = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.take() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(status) => return Reading { requests, end: Err(status) },
            }
        }
    }
    Reading { requests, end: Ok(parser.is_midway()) }
}

fn read_whole(stream: impl AsRef<[u8]>) -> Reading {
    read([stream.as_ref()])
}

fn read_bytewise(stream: impl AsRef<[u8]>) -> Reading {
    read(stream.as_ref().chunks(1))
}

fn get(path: &str) -> Request {
    Request { method: "GET".into(), path: path.into(), keep_alive: true }
}

/// The error that a stream ends with, in one piece and byte by byte.
fn refusal(stream: impl AsRef<[u8]>) -> Option<Status> {
    let reading = read_whole(&stream);
    assert_eq!(reading, read_bytewise(&stream), "it depends on the pieces");
    reading.end.err()
}

#[test]
fn a_request_is_there_when_its_last_byte_is() {
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
fn requests_that_arrive_together_come_out_one_by_one() {
    let reading = read_whole("GET /1/a HTTP/1.1\r\n\r\nGET /2/b HTTP/1.1\r\n\r\nGET /3/c HT");
    assert_eq!(reading, Reading { requests: vec![get("/1/a"), get("/2/b")], end: Ok(true) });
}

#[test]
fn a_connection_stays_open_as_version_and_client_say() {
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
        let reading = read_whole(format!("GET / {version}\r\n{fields}\r\n"));
        assert_eq!(reading.requests, [Request { keep_alive, ..get("/") }], "{version} {fields}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
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
        assert_eq!(refusal(format!("{line}\r\n\r\n")), Some(Status::BAD_REQUEST), "{line:?}");
    }
    let fields =
        ["no colon", ": no name", "a b: c", "a : b", " folded", "\tfolded", "a\0: b", "a: b\0", "a: b\rc: d", "ä: b"];
    for field in fields {
        assert_eq!(
            refusal(format!("GET / HTTP/1.1\r\nA: b\r\n{field}\r\n\r\n")),
            Some(Status::BAD_REQUEST),
            "{field:?}"
        );
    }
    assert_eq!(refusal(b"GET /\xff HTTP/1.1\r\n\r\n"), Some(Status::BAD_REQUEST));
    assert_eq!(refusal("GET / HTTP/2.0\r\n\r\n"), Some(Status::VERSION_NOT_SUPPORTED));
}

#[test]
fn a_bare_line_feed_ends_no_line() {
    for stream in ["GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1\r\nA: b\n", "GET / HTTP/1.1\r\n\n"] {
        assert_eq!(refusal(stream), Some(Status::BAD_REQUEST), "{stream:?}");
    }
}

#[test]
fn empty_lines_before_a_request_do_not_count() {
    let reading = read_bytewise("\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n");
    assert_eq!(reading, Reading { requests: vec![get("/"), get("/")], end: Ok(false) });
}

/// A request whose head has this length.
fn head_of(length: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nA: ", "\r\n\r\n");
    format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
}

#[test]
fn a_head_may_have_eight_kibibytes_and_not_one_byte_more() {
    assert_eq!(MAX_HEAD, 8 * 1024);
    assert_eq!(read_whole(head_of(MAX_HEAD)).requests, [get("/")]);
    assert_eq!(read_bytewise(head_of(MAX_HEAD)).requests, [get("/")]);
    assert_eq!(refusal(head_of(MAX_HEAD + 1)), Some(Status::HEADER_TOO_LARGE));
    assert_eq!(refusal("x".repeat(MAX_HEAD)), Some(Status::HEADER_TOO_LARGE));
    assert_eq!(refusal("x".repeat(MAX_HEAD - 1)), None);
    assert_eq!(refusal("GET / HTTP/1.1\r\n".to_owned() + &"A: b\r\n".repeat(MAX_HEAD)), Some(Status::HEADER_TOO_LARGE));
}

#[test]
fn the_limit_counts_for_each_head_anew() {
    let long = head_of(MAX_HEAD);
    assert_eq!(read_whole(long.repeat(3)).requests, [get("/"), get("/"), get("/")]);
    assert_eq!(read_whole("\r\n".to_owned() + &long).requests, [get("/")]);
}

#[test]
fn a_body_is_passed_over_and_is_no_request() {
    let body = "GET /0/smuggled HTTP/1.1\r\n\r\n";
    let stream =
        format!("POST / HTTP/1.1\r\ncontent-length:  {} \r\n\r\n{body}GET /0/next HTTP/1.1\r\n\r\n", body.len());
    let post = Request { method: "POST".into(), ..get("/") };
    for reading in [read_whole(&stream), read_bytewise(&stream)] {
        assert_eq!(reading, Reading { requests: vec![post.clone(), get("/0/next")], end: Ok(false) });
    }
}

#[test]
fn a_request_is_complete_with_the_last_byte_of_its_body() {
    let mut parser = Requests::default();
    parser.push(b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n12");
    assert_eq!(parser.take(), Ok(None));
    assert!(parser.is_midway());
    parser.push(b"3");
    assert_eq!(parser.take(), Ok(Some(get("/"))));
    assert!(!parser.is_midway());
}

#[test]
fn the_length_of_a_body_is_a_number_given_once() {
    let values = ["", "+5", "-5", "5, 5", "5 5", "0x5", "5.0", "five", "99999999999999999999999"];
    for value in values {
        let stream = format!("GET / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
        assert_eq!(refusal(stream), Some(Status::BAD_REQUEST), "{value:?}");
    }
    let twice = "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(refusal(twice), Some(Status::BAD_REQUEST));
}

#[test]
fn a_body_that_nobody_wants_to_wait_for_is_refused() {
    let head = |length| format!("GET / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(refusal(head(MAX_BODY)), None);
    assert_eq!(refusal(head(MAX_BODY + 1)), Some(Status::CONTENT_TOO_LARGE));
    assert_eq!(read_whole(head(MAX_BODY) + &"x".repeat(MAX_BODY)).requests, [get("/")]);
}

#[test]
fn a_transfer_encoding_is_refused_with_and_without_a_length() {
    for fields in ["", "Content-Length: 5\r\n"] {
        let stream = format!("GET / HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(refusal(stream), Some(Status::NOT_IMPLEMENTED));
    }
}

/// How long it takes to read a head of `length` byte by byte, a few times.
fn time_to_read(length: usize) -> Duration {
    let head = head_of(length);
    let start = Instant::now();
    for _ in 0..4 {
        assert_eq!(read_bytewise(&head).requests.len(), 1);
    }
    start.elapsed()
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_not_searched_again_and_again() {
    // To search it anew at each byte would take 256 times as long. The machine may disturb a measurement, but not all.
    let is_linear = |_| time_to_read(MAX_HEAD) < 80 * time_to_read(MAX_HEAD / 16);
    assert!((0..100).any(is_linear), "16 times the length takes more than 80 times as long");
}

#[test]
fn text_goes_through_a_path_and_back() {
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
fn a_request_that_is_written_can_be_read() {
    let bytes = write_request(loopback(), &format!("/5/{}", encode("a b")));
    assert_eq!(read_whole(bytes).requests, [Request { keep_alive: false, ..get("/5/a%20b") }]);
}

/// What a client makes of a stream that arrives in pieces.
fn read_responses<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Response>, Option<Fault>) {
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

fn written(status: Status, body: &str, keep_alive: bool) -> Vec<u8> {
    let mut out = Vec::new();
    status.write_response(body.as_bytes(), keep_alive, &mut out);
    out
}

#[test]
fn responses_that_are_written_can_be_read() {
    let first = written(Status::OK, "HTTP/1.1 200 OK\r\n\r\n", true);
    let second = written(Status::NOT_FOUND, "", false);
    let stream = [first, second].concat();
    let expected = [
        Response { status: 200, body: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), keep_alive: true },
        Response { status: 404, body: Vec::new(), keep_alive: false },
    ];
    for (responses, fault) in [read_responses([&stream[..]]), read_responses(stream.chunks(1))] {
        assert_eq!(responses, expected);
        assert_eq!(fault, None);
    }
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    let response = String::from_utf8(written(Status::METHOD_NOT_ALLOWED, "", true)).unwrap();
    assert!(response.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{response}");
    assert!(response.contains("\r\nAllow: GET\r\n"), "{response}");
    assert!(!String::from_utf8(written(Status::OK, "", true)).unwrap().contains("Allow"));
}

#[test]
fn what_is_no_response_is_refused() {
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
        assert_eq!(read_responses([stream.as_bytes()]), (Vec::new(), Some(fault)), "{stream:?}");
    }
}

// What nobody has thought of.

/// Random numbers that can be had again: xorshift64*.
struct Random(u64);

impl Random {
    /// Another sequence at each run, or that of `MINIMIO_FUZZ_SEED`. A test that fails prints what it was.
    fn new() -> Random {
        let seed = match env::var("MINIMIO_FUZZ_SEED") {
            Ok(seed) => seed.parse().expect("MINIMIO_FUZZ_SEED is a number"),
            Err(_) => {
                let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                age.as_nanos() as u64
            }
        };
        println!("to see this again: MINIMIO_FUZZ_SEED={seed}");
        // From zero, the sequence would not move.
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

    fn chance(&mut self, of: usize) -> bool {
        self.number(0..of) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.number(0..of.len())]
    }
}

/// A request that is as it should be.
fn any_request(random: &mut Random) -> Vec<u8> {
    let method = random.pick(&["GET", "GET", "GET", "POST", "HEAD", "BREW", "M-SEARCH"]);
    let path = random.pick(&["/0/hello", "/0/", "/7/a%20b", "/100/x", "/", "*", "/x/y", "/99999/no", "/0/%zz", "/0/ä"]);
    let version = random.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let mut request = format!("{method} {path} {version}\r\n");
    for _ in 0..random.number(0..4) {
        let fields =
            ["Host: here\r\n", "connection: keep-alive\r\n", "CONNECTION:close\r\n", "X-Y:\t \r\n", "a:b:c\r\n"];
        request += random.pick(&fields);
    }
    if random.chance(20) {
        request += &format!("Long: {}\r\n", "y".repeat(random.number(1..8500)));
    }
    let length = if random.chance(3) { random.number(0..200) } else { 0 };
    if length > 0 {
        request += &format!("Content-Length: {length}\r\n");
    }
    request += "\r\n";
    let mut request = request.into_bytes();
    request.extend((0..length).map(|_| random.next() as u8));
    request
}

fn any_requests(random: &mut Random) -> Vec<u8> {
    (0..random.number(1..6)).flat_map(|_| any_request(random)).collect()
}

/// A few bytes, or lines, are not what they were.
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

fn any_pieces<'a>(mut bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
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
fn requests_are_the_same_however_they_are_cut() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let stream = any_requests(&mut random);
        let whole = read_whole(&stream);
        assert!(!whole.requests.is_empty() || whole.end == Err(Status::HEADER_TOO_LARGE), "round {round}: {whole:?}");
        assert_eq!(read(any_pieces(&stream, &mut random)), whole, "round {round}: {}", stream.escape_ascii());
    }
}

#[test]
fn nonsense_is_the_same_nonsense_however_it_is_cut() {
    let mut random = Random::new();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let mut stream = any_requests(&mut random);
        mutate(&mut stream, &mut random);
        let whole = read_whole(&stream);
        refused += usize::from(whole.end.is_err());
        // A request has 16 bytes at least: `A / HTTP/1.1` and the ends of two lines.
        assert!(whole.requests.len() <= stream.len() / 16, "round {round}: {}", stream.escape_ascii());
        assert_eq!(read(any_pieces(&stream, &mut random)), whole, "round {round}: {}", stream.escape_ascii());
    }
    assert!(refused > ROUNDS / 10, "only {refused} streams were nonsense");
}

#[test]
fn a_request_takes_no_byte_of_what_follows() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let first = any_request(&mut random);
        let mut second = any_requests(&mut random);
        mutate(&mut second, &mut random);
        let stream = [&first[..], &second].concat();
        let (first, second, both) = (read_whole(&first), read_whole(&second), read_whole(&stream));
        if first.end.is_ok() {
            let requests = [first.requests, second.requests].concat();
            assert_eq!(both, Reading { requests, end: second.end }, "round {round}: {}", stream.escape_ascii());
        }
    }
}

#[test]
fn responses_are_the_same_however_they_are_cut() {
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let mut stream: Vec<u8> = (0..random.number(1..5))
            .flat_map(|_| written(Status::OK, &"z".repeat(random.number(0..300)), random.chance(2)))
            .collect();
        if random.chance(2) {
            mutate(&mut stream, &mut random);
        }
        let whole = read_responses([&stream[..]]);
        assert_eq!(read_responses(any_pieces(&stream, &mut random)), whole, "round {round}: {}", stream.escape_ascii());
    }
}

#[test]
fn garbage_neither_stops_a_server_nor_stays_in_it() {
    let server = Background::start(Server::bind(loopback(), Limits::default(), io::sink()).unwrap()).unwrap();
    let mut random = Random::new();
    for _ in 0..400 {
        let mut stream = any_requests(&mut random);
        if !random.chance(4) {
            mutate(&mut stream, &mut random);
        }
        disturb(&server, &any_pieces(&stream, &mut random), &mut random).expect("the server takes connections");
    }

    let end = Instant::now() + WAIT_LIMIT;
    while server.connections() > 0 {
        assert!(Instant::now() < end, "{} connections are still open", server.connections());
        thread::sleep(Duration::from_millis(1));
    }
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    client.write_all(&write_request(server.addr(), "/1/alive")).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"alive"), "{}", answer.escape_ascii());
    server.stop().unwrap();
}

/// Sends the pieces, perhaps reads what comes back, and leaves. An error is one of connecting: the server may hang up
/// at any time after that.
fn disturb(server: &Background, pieces: &[&[u8]], random: &mut Random) -> io::Result<()> {
    let mut client = TcpStream::connect(server.addr())?;
    client.set_read_timeout(Some(WAIT_LIMIT))?;
    client.set_write_timeout(Some(WAIT_LIMIT))?;
    client.set_nodelay(true)?;
    for piece in pieces {
        if client.write_all(piece).is_err() {
            return Ok(());
        }
    }
    if random.chance(2) && client.shutdown(Shutdown::Write).is_ok() {
        // The server sees the end, and so do we.
        let end = io::copy(&mut client, &mut io::sink());
        let has_hung =
            matches!(&end, Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        assert!(!has_hung, "the server keeps a connection that has ended");
    }
    Ok(())
}
