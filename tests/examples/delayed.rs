//! The delayed server and its clients: each rule that they follow, tested through connections and programs.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStdout, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::command_lines::{check_columns, check_next};
use crate::http::{Response, Responses, MAX_HEAD};
use crate::server::{Background, Limits, Server, Slab};
use crate::support::program::{example, interrupt, Program};
use crate::support::system::UNACCEPTED_CONNECTIONS_STAY;
use crate::support::{loopback, SHORT_WAIT, WAIT_LIMIT};

/// A time limit that is short enough for a test to wait until it expires.
const SHORT_LIMIT: Duration = Duration::from_millis(150);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn server(limits: Limits) -> Background {
    Background::start(Server::bind(loopback(), limits, io::sink()).unwrap()).unwrap()
}

/// A connection to a server. Its calls block, with a timeout.
struct Client {
    stream: TcpStream,
    responses: Responses,
}

impl Client {
    fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
        stream.set_write_timeout(Some(WAIT_LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, responses: Responses::default() }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\n\r\n"));
    }

    /// Reads, and reads again after `Interrupted`: a read with a timeout fails with this error if the process was
    /// stopped and continued meanwhile.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }

    fn response(&mut self) -> Response {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(response) = self.responses.take().expect("the server does not write HTTP") {
                return response;
            }
            match self.read(&mut buffer).expect("no response from the server") {
                0 => panic!("the server closed the connection without a response"),
                count => self.responses.push(&buffer[..count]),
            }
        }
    }

    fn text(&mut self) -> String {
        let response = self.response();
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        assert!(response.body.ends_with(b"\n"), "{}", response.body.escape_ascii());
        response.text().into_owned()
    }

    /// Waits until the server closes the connection. The server must send nothing before.
    fn expect_end(&mut self) {
        match self.read(&mut [0; 1]) {
            Ok(0) => {}
            Err(err) if matches!(err.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {}
            result => panic!("the server should have closed the connection, but: {result:?}"),
        }
    }
}

fn server_and_client() -> (Background, Client) {
    let server = server(Limits::default());
    let client = Client::connect(server.addr());
    (server, client)
}

/// Waits until the server has `count` connections. Returns how long that took.
fn wait_for_connections(server: &Background, count: usize) -> Duration {
    let start = Instant::now();
    while server.connections() != count {
        assert!(start.elapsed() < WAIT_LIMIT, "{} connections are open, not {count}", server.connections());
        thread::sleep(ms(1));
    }
    start.elapsed()
}

// Delays.

#[test]
fn a_response_arrives_after_its_delay_and_not_before() {
    let (_server, mut client) = server_and_client();
    for delay in [0, 1, 20, 150] {
        let start = Instant::now();
        client.get(&format!("/{delay}/after"));
        assert_eq!(client.text(), "after");
        assert!(start.elapsed() >= ms(delay), "{:?} instead of {delay} ms", start.elapsed());
        assert!(start.elapsed() < ms(delay) + WAIT_LIMIT / 4, "{:?} instead of {delay} ms", start.elapsed());
    }
}

#[test]
fn ten_concurrent_delays_take_about_as_long_as_the_longest() {
    let server = server(Limits::default());
    let start = Instant::now();
    let mut clients: Vec<Client> = (0..10).map(|_| Client::connect(server.addr())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.get(&format!("/{}/{number}", 500 - number));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.text(), number.to_string());
    }
    assert!(start.elapsed() >= ms(500));
    assert!(start.elapsed() < ms(2500), "sequentially they take 5 s, and this took {:?}", start.elapsed());
}

#[test]
fn responses_keep_the_order_of_their_requests_while_delays_run_concurrently() {
    let (_server, mut client) = server_and_client();
    let start = Instant::now();
    let requests = ["/300/a", "/0/b", "/200/c", "/nowhere", "/300/d", "/299/e", "/298/f", "/297/g"];
    client.send(requests.map(|path| format!("GET {path} HTTP/1.1\r\n\r\n")).concat());
    let responses = requests.map(|_| client.response());
    let statuses = responses.iter().map(|response| response.status);
    assert!(statuses.eq([200, 200, 200, 404, 200, 200, 200, 200]), "{responses:?}");
    let texts: String = responses.iter().map(|response| char::from(response.body[0])).collect();
    assert_eq!(texts, "abcTdefg");
    assert!(start.elapsed() >= ms(300));
    assert!(start.elapsed() < ms(1400), "sequentially they take 1.7 s, and this took {:?}", start.elapsed());
}

#[test]
fn all_pipelined_requests_are_answered_although_they_exceed_the_limit_of_a_connection() {
    let (_server, mut client) = server_and_client();
    let start = Instant::now();
    for delay in [0, 1] {
        let requests = (0..200).map(|number| format!("GET /{delay}/{number} HTTP/1.1\r\n\r\n"));
        client.send(requests.collect::<String>());
        for number in 0..200 {
            assert_eq!(client.text(), number.to_string());
        }
    }
    assert!(
        start.elapsed() < Limits::default().stall,
        "some requests had to wait for a timeout: it took {:?}",
        start.elapsed()
    );
}

// Statuses.

#[test]
fn each_error_has_its_status() {
    let server = server(Limits::default());
    // Each row is a request, the status of its response, and whether the connection stays open.
    let table = [
        ("GET /0/hello HTTP/1.1\r\n\r\n".to_owned(), 200, true),
        ("GET /0/ HTTP/1.1\r\n\r\n".into(), 200, true),
        ("GET /00/a/b?c HTTP/1.1\r\n\r\n".into(), 200, true),
        ("GET / HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /5 HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /five/hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /-5/hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /+5/hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET //hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /delay/hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET 5/hello HTTP/1.1\r\n\r\n".into(), 404, true),
        ("GET /60001/hello HTTP/1.1\r\n\r\n".into(), 400, true),
        ("GET /99999999999999999999999/hello HTTP/1.1\r\n\r\n".into(), 400, true),
        ("GET /0/%zz HTTP/1.1\r\n\r\n".into(), 400, true),
        ("POST /0/hello HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi".into(), 405, true),
        ("OPTIONS * HTTP/1.1\r\n\r\n".into(), 405, true),
        ("hello\r\n\r\n".into(), 400, false),
        ("GET /0/hello HTTP/1.1\n".into(), 400, false),
        ("GET /0/hello HTTP/2.0\r\n\r\n".into(), 505, false),
        ("POST /0/hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".into(), 501, false),
        ("POST /0/hello HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n".into(), 413, false),
        ("x".repeat(MAX_HEAD), 431, false),
    ];
    for (bytes, status, stays_open) in table {
        let mut client = Client::connect(server.addr());
        client.send(&bytes);
        let response = client.response();
        assert_eq!((response.status, response.keep_alive), (status, stays_open), "{bytes:.60}");
        assert!(response.body.ends_with(b"\n"), "{bytes:.60}: {}", response.body.escape_ascii());
        if stays_open {
            client.get("/0/next");
            assert_eq!(client.text(), "next", "after {bytes:.60}");
        } else {
            client.expect_end();
        }
    }
}

#[test]
fn a_delay_of_one_minute_is_accepted() {
    let (_server, mut client) = server_and_client();
    client.get("/60000/later");
    client.stream.set_read_timeout(Some(SHORT_WAIT)).unwrap();
    let error = client.stream.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_response_to_head_is_the_head_of_the_response_to_get() {
    let server = server(Limits::default());
    for path in ["/0/hello", "/0/", "/20/late", "/nowhere", "/99999/never", "/0/%zz"] {
        let start = Instant::now();
        let [get, head] = ["GET", "HEAD"].map(|method| {
            let mut client = Client::connect(server.addr());
            client.send(format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n\r\n"));
            let mut response = String::new();
            client.stream.read_to_string(&mut response).unwrap();
            response
        });
        assert!(!path.contains("late") || start.elapsed() >= ms(40), "{path}: no delay");
        let body = get.strip_prefix(&head).unwrap_or_else(|| panic!("{path}: {get:?}, {head:?}"));
        assert!(head.ends_with("\r\n\r\n") && body.ends_with('\n'), "{path}: {get:?}, {head:?}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{path}: {get:?}, {head:?}");
    }
}

#[test]
fn a_connection_stays_open_after_a_response_to_head() {
    let (_server, mut client) = server_and_client();
    client.send("HEAD /20/x HTTP/1.1\r\n\r\nGET /0/y HTTP/1.0\r\n\r\n");
    let mut responses = String::new();
    client.stream.read_to_string(&mut responses).unwrap();
    let (head, response) = responses.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with("\r\nConnection: keep-alive"), "{responses:?}");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\ny\n"), "{responses:?}");
}

#[test]
fn the_last_response_arrives_although_the_client_sends_more() {
    let (_server, mut client) = server_and_client();
    // This is far more than the server reads. If the server closed a socket with unread bytes, the connection would be
    // reset, and on some systems the client would lose the response.
    client.send("x".repeat(400_000));
    assert_eq!(client.response().status, 431);
    assert_eq!(client.stream.read(&mut [0; 1]).expect("the connection was reset"), 0);
}

#[test]
fn a_path_can_begin_with_delay() {
    let (_server, mut client) = server_and_client();
    client.get("/delay/0/url/http://here");
    assert_eq!(client.text(), "url/http://here");
}

#[test]
fn the_text_of_a_path_is_decoded() {
    let (_server, mut client) = server_and_client();
    client.get("/0/two%20words%0D%0Aand%20%E2%82%AC");
    assert_eq!(client.text(), "two words\r\nand €");
}

// Connections.

#[test]
fn a_connection_serves_many_requests() {
    let (server, mut client) = server_and_client();
    for number in 0..50 {
        client.get(&format!("/1/{number}"));
        assert_eq!(client.text(), number.to_string());
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_is_closed_when_its_client_requests_it() {
    let server = server(Limits::default());
    for request in ["GET /20/x HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /20/x HTTP/1.0\r\n\r\n"] {
        let mut client = Client::connect(server.addr());
        // Bytes after the last request are not a request.
        client.send(request.to_owned() + "GET /0/y HTTP/1.1\r\n\r\n");
        let response = client.response();
        assert_eq!((response.body, response.keep_alive), (b"x\n".to_vec(), false));
        client.expect_end();
    }
    wait_for_connections(&server, 0);
}

#[test]
fn a_request_that_arrives_in_pieces_is_answered() {
    let (_server, mut client) = server_and_client();
    for byte in "GET /0/pieces HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".bytes() {
        client.send([byte]);
    }
    assert_eq!(client.text(), "pieces");
}

#[test]
fn a_request_inside_a_body_is_not_answered() {
    let (_server, mut client) = server_and_client();
    let hidden = "GET /0/hidden HTTP/1.1\r\n\r\n";
    client.send(format!("GET /0/seen HTTP/1.1\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()));
    client.get("/0/next");
    assert_eq!([client.text(), client.text()], ["seen", "next"]);
}

// Timeouts.

#[test]
fn a_client_that_stalls_within_a_request_is_disconnected() {
    let server = server(Limits { stall: SHORT_LIMIT, ..Limits::default() });
    for part in ["G", "GET /0/x HTTP/1.1\r\nA: b\r\n", "GET /0/x HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234"] {
        let start = Instant::now();
        let mut client = Client::connect(server.addr());
        client.send(part);
        client.expect_end();
        assert!(start.elapsed() >= SHORT_LIMIT, "disconnected after {:?}", start.elapsed());
        assert!(start.elapsed() < WAIT_LIMIT / 2, "disconnected after {:?}", start.elapsed());
    }
    wait_for_connections(&server, 0);
}

#[test]
fn single_bytes_do_not_extend_the_time_limit_of_a_request() {
    let server = server(Limits { stall: SHORT_LIMIT, ..Limits::default() });
    let mut client = Client::connect(server.addr());
    let start = Instant::now();
    client.stream.set_read_timeout(Some(ms(10))).unwrap();
    // Between two bytes, the client waits for the end of the connection.
    while !matches!(client.stream.read(&mut [0; 1]), Ok(0)) && client.stream.write_all(b"x").is_ok() {
        assert!(start.elapsed() < WAIT_LIMIT, "the client is not disconnected");
    }
    assert!(start.elapsed() >= SHORT_LIMIT, "disconnected after {:?}", start.elapsed());
}

#[test]
fn each_request_has_its_own_time_limit() {
    let server = server(Limits { stall: SHORT_LIMIT * 2, ..Limits::default() });
    let mut client = Client::connect(server.addr());
    let start = Instant::now();
    client.send("GET /20/");
    // The server always has an incomplete request, but each one is completed before its limit.
    while start.elapsed() < SHORT_LIMIT * 5 {
        client.send("x HTTP/1.1\r\n\r\nGET /20/");
        assert_eq!(client.text(), "x");
    }
}

#[test]
fn an_idle_connection_is_closed_but_not_one_with_a_pending_response() {
    let server = server(Limits { stall: SHORT_LIMIT, idle: SHORT_LIMIT, ..Limits::default() });
    let mut client = Client::connect(server.addr());
    client.get("/500/waited");
    assert_eq!(client.text(), "waited");
    let start = Instant::now();
    client.expect_end();
    // The time starts when the server has sent the response, slightly before the client has received it.
    assert!(start.elapsed() >= SHORT_LIMIT - ms(50), "closed after {:?}", start.elapsed());

    let start = Instant::now();
    Client::connect(server.addr()).expect_end();
    assert!(start.elapsed() >= SHORT_LIMIT, "closed after {:?}", start.elapsed());
    wait_for_connections(&server, 0);
}

#[test]
fn a_client_that_does_not_close_its_end_is_disconnected() {
    let server = server(Limits { stall: SHORT_LIMIT, ..Limits::default() });
    let mut client = Client::connect(server.addr());
    client.send("GET /0/last HTTP/1.0\r\n\r\n");
    assert_eq!(client.text(), "last");
    client.expect_end();
    wait_for_connections(&server, 0);
}

#[test]
fn pending_responses_are_discarded_when_the_client_disconnects() {
    let server = server(Limits::default());
    let requests = [
        "GET /60000/x HTTP/1.1\r\n\r\n".to_owned(),
        "GET /60000/x HTTP/1.0\r\n\r\n".into(),
        // A connection does not accept so many requests at once, so the server leaves some unread before the end. All
        // of them fit into small buffers of a kernel, 32 KiB.
        "GET /60000/x HTTP/1.1\r\n\r\n".repeat(1200),
    ];
    let tested = if crate::support::system::end_is_reported_before_unread_data() { requests.len() } else { 2 };
    if tested < requests.len() {
        println!("not tested: this system does not report the end of a stream while bytes before it are unread");
    }
    for request in requests.into_iter().take(tested) {
        let mut client = Client::connect(server.addr());
        client.send(request);
        wait_for_connections(&server, 1);
        drop(client);
        let time = wait_for_connections(&server, 0);
        assert!(time < WAIT_LIMIT / 2, "disconnected after {time:?}");
    }
}

#[test]
fn a_request_without_a_delay_is_answered_after_the_client_has_shut_down_writing() {
    let (_server, mut client) = server_and_client();
    client.send("GET /0/now HTTP/1.1\r\n\r\n");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.text(), "now");
    client.expect_end();
}

// Load.

/// Sends requests until the server reads no more or closes the connection. Returns how many were sent completely.
fn flood(client: &mut Client, request: &str) -> usize {
    let mut sent = 0;
    client.stream.set_write_timeout(Some(SHORT_WAIT * 5)).unwrap();
    while let Ok(count) = client.stream.write(&request.as_bytes()[sent % request.len()..]) {
        sent += count;
        // Most of these bytes are in the kernel's buffers of both directions.
        assert!(sent < 64 << 20, "the server has read {sent} bytes from a client that reads no responses");
    }
    sent / request.len()
}

#[test]
fn the_server_stops_reading_from_a_client_that_does_not_read() {
    let limits = Limits { stall: WAIT_LIMIT * 2, idle: WAIT_LIMIT * 2, ..Limits::default() };
    let server = server(limits);
    let text = "y".repeat(4000);
    let mut client = Client::connect(server.addr());
    let count = flood(&mut client, &format!("GET /0/{text} HTTP/1.1\r\n\r\n"));

    // Other clients are still served.
    let mut other = Client::connect(server.addr());
    other.get("/1/other");
    assert_eq!(other.text(), "other");

    // When the client reads, it receives all responses.
    for _ in 0..count {
        assert_eq!(client.text(), text);
    }
}

#[test]
fn a_client_that_never_reads_is_disconnected() {
    let server = server(Limits { idle: SHORT_LIMIT * 4, ..Limits::default() });
    let mut client = Client::connect(server.addr());
    flood(&mut client, &format!("GET /0/{} HTTP/1.1\r\n\r\n", "y".repeat(4000)));
    wait_for_connections(&server, 0);
}

#[test]
fn a_busy_client_does_not_block_other_clients() {
    let server = server(Limits::default());
    let mut busy = Client::connect(server.addr());
    let mut reader = busy.stream.try_clone().unwrap();
    // The client writes so many requests at once that the server always has more to read.
    let requests = b"GET / HTTP/1.1\r\n\r\n".repeat(10_000);
    let writing = thread::spawn(move || while busy.stream.write_all(&requests).is_ok() {});
    let reading = thread::spawn(move || while !matches!(reader.read(&mut [0; 64 * 1024]), Ok(0) | Err(_)) {});

    for number in 0..20 {
        let mut other = Client::connect(server.addr());
        other.get(&format!("/5/{number}"));
        assert_eq!(other.text(), number.to_string());
    }
    drop(server);
    writing.join().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_connection_that_replaces_a_closed_one_receives_only_its_own_responses() {
    let server = server(Limits::default());
    thread::scope(|scope| {
        for number in 0..4 {
            let addr = server.addr();
            scope.spawn(move || {
                for round in 0..100 {
                    let text = format!("{number}-{round}");
                    // This connection is closed shortly before its response, and the next one reuses its slot.
                    Client::connect(addr).get("/1/discarded");
                    let mut client = Client::connect(addr);
                    client.get(&format!("/2/{text}"));
                    assert_eq!(client.text(), text);
                }
            });
        }
    });
    wait_for_connections(&server, 0);
}

#[test]
fn the_slot_of_a_removed_value_is_not_reused_before_the_next_batch() {
    let mut slab = Slab::new();
    let mut numbers = Vec::new();
    for name in ["a", "b", "c"] {
        slab.insert(|number| -> Result<&str, ()> {
            numbers.push(number);
            Ok(name)
        })
        .unwrap();
    }
    slab.remove(numbers[1]);
    slab.remove(numbers[1]);
    assert_eq!((slab.len(), slab.get_mut(numbers[1])), (2, None));
    slab.insert(|number| if numbers.contains(&number) { Err(number) } else { Ok("d") }).unwrap();

    slab.end_of_batch();
    slab.insert(|number| if number == numbers[1] { Ok("e") } else { Err(number) }).unwrap();
    assert_eq!(slab.insert(|_| Err("refused")), Err("refused"));
    assert_eq!(slab.len(), 4);
    assert_eq!(slab.get_mut(numbers[1]), Some(&mut "e"));
    assert_eq!(slab.get_mut(numbers[2]), Some(&mut "c"));
}

#[test]
fn stop_closes_all_connections_of_the_server() {
    let (server, mut client) = server_and_client();
    client.get("/60000/never");
    wait_for_connections(&server, 1);
    server.stop().unwrap();
    client.expect_end();
}

// The example programs.

/// Starts a `delayed_server`. Returns the program, its address, and the rest of its output.
fn server_program(command: &mut Command) -> (Program, SocketAddr, BufReader<ChildStdout>) {
    let mut program = Program::start(command);
    let mut stdout = BufReader::new(program.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let addr =
        line.trim_end().strip_prefix("listening on http://").expect("the first line is not the address of the server");
    let addr = addr.parse().unwrap();
    (program, addr, stdout)
}

#[test]
fn delayed_prints_ten_responses_in_the_time_of_the_longest() {
    // On a busy machine, a run can be too slow. One of three runs must not be.
    let mut results = (0..3).map(|_| Program::start(&mut Command::new(example("delayed"))).finish());
    let (_, output) = results.find(|(code, _)| *code == Some(0)).expect("all three runs have failed");
    let sentence = ["one", "thread", "waits", "for", "ten", "answers", "at", "the", "same", "time"];
    let answers: Vec<&str> = output.lines().filter_map(|line| line.split("● ").nth(1)?.split(' ').next()).collect();
    assert_eq!(answers, sentence, "{output}");
    check_next("delayed", output.lines().last());
    check_columns(&output);

    // All bars have one scale: the longest shows the sum of the delays, 5.5 seconds.
    let mut bars = 0;
    for line in output.lines().filter(|line| line.contains('━')) {
        let time = line.strip_suffix(" ms").and_then(|line| line.rsplit(' ').next()).unwrap();
        let half_columns: usize =
            line.chars().map(|char| usize::from(char == '╸') + 2 * usize::from(char == '━')).sum();
        let expected = time.parse::<f64>().unwrap() / 5500. * 100.;
        assert!((half_columns as f64 - expected).abs() < 0.6, "{output}");
        bars += 1;
    }
    assert_eq!(bars, 12, "{output}");
    assert!(output.contains("5500.0 ms"), "{output}");
}

#[test]
fn the_client_prints_responses_in_the_order_of_arrival() {
    let (server, addr, mut log) = server_program(Command::new(example("delayed_server")).arg("127.0.0.1:0"));
    let requests = ["200/third", "0/first", "100/two words", "300/50 %"];
    let client = Program::start(Command::new(example("delayed_client")).arg(addr.to_string()).args(requests));
    let (code, output) = client.finish();
    assert_eq!(code, Some(0), "{output}");
    let mut lines: Vec<&str> = output.lines().collect();
    check_next("delayed_client", lines.pop());
    let answers: Vec<&str> = lines.iter().map(|line| line.split(" 200  ").nth(1).unwrap_or(line)).collect();
    assert_eq!(answers, ["first", "two words", "third", "50 %"], "{output}");

    drop(server);
    let mut lines = String::new();
    log.read_to_string(&mut lines).unwrap();
    assert_eq!(lines.matches(" GET /").count(), 4, "{lines}");
    assert!(lines.contains(" GET /100/two%20words: 200 OK after 100 ms\n"), "{lines}");
}

#[test]
fn the_client_reports_a_failed_request() {
    let (server, addr, _log) = server_program(Command::new(example("delayed_server")).arg("127.0.0.1:0"));
    let client = |requests: &[&str]| {
        Program::start(Command::new(example("delayed_client")).arg(format!("http://{addr}/")).args(requests)).finish()
    };
    let (code, output) = client(&[]);
    assert_eq!((code, output.lines().count()), (Some(0), 6), "{output}");
    check_columns(&output);
    let (code, output) = client(&["0/fine", "99999/never"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("400  The delay is too long"), "{output}");
    drop(server);
    let (code, output) = client(&["0/fine"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.ends_with(&format!(": cargo run --example delayed_server {addr}\n")), "{output}");
}

#[test]
fn the_client_reports_an_invalid_response() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "220 mail.example ESMTP\r\n\r\n"] {
        let listener = TcpListener::bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = Program::start(Command::new(example("delayed_client")).arg(addr.to_string()).arg("0/x"));
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
        drop(stream);
        let (code, output) = client.finish();
        assert_eq!((code, output.lines().count()), (Some(1), 1), "{output}");
    }
}

#[test]
fn a_server_that_is_interrupted_answers_the_requests_in_flight_and_ends() {
    let (mut server, addr, mut log) = server_program(Command::new(example("delayed_server")).arg("127.0.0.1:0"));
    // An idle connection does not delay the end.
    let _idle = Client::connect(addr);
    let mut client = Client::connect(addr);
    client.get("/1/first");
    assert_eq!(client.text(), "first");
    client.get("/500/in%20flight");
    wait_for_line(&mut log, "/500/in%20flight");
    let start = Instant::now();
    if !interrupt(&server) {
        return;
    }
    wait_for_line(&mut log, "INTERRUPT");
    assert!(TcpStream::connect(addr).is_err());
    let response = client.response();
    assert_eq!((response.status, response.text().trim_end()), (200, "in flight"));
    client.expect_end();
    drop(client);
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    assert!(start.elapsed() < ms(3000), "{:?}", start.elapsed());
}

#[test]
fn a_server_that_is_interrupted_ends_after_three_seconds_or_at_the_second_signal() {
    for signals in [1, 2] {
        let (mut server, addr, mut log) = server_program(Command::new(example("delayed_server")).arg("127.0.0.1:0"));
        let mut client = Client::connect(addr);
        client.get("/60000/late");
        wait_for_line(&mut log, "/60000/late");
        let start = Instant::now();
        if !interrupt(&server) {
            return;
        }
        wait_for_line(&mut log, "INTERRUPT");
        if signals == 2 {
            interrupt(&server);
        }
        assert_eq!(server.0.wait().unwrap().code(), Some(0));
        assert_eq!(start.elapsed() >= ms(3000), signals == 1, "{:?}", start.elapsed());
        client.expect_end();
    }
}

/// Reads the log of a server until a line contains `text`.
fn wait_for_line(log: &mut BufReader<ChildStdout>, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the log has ended before {text}");
    }
}

#[test]
fn a_server_continues_after_the_reader_of_its_output_is_closed() {
    let (_server, addr, log) = server_program(Command::new(example("delayed_server")).arg("127.0.0.1:0"));
    drop(log);
    for _ in 0..3 {
        let mut client = Client::connect(addr);
        client.get("/1/still here");
        assert_eq!(client.response().status, 400);
        client = Client::connect(addr);
        client.get("/1/still%20here");
        assert_eq!(client.text(), "still here");
    }
}

#[test]
fn a_server_that_cannot_listen_prints_the_error() {
    let listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    // The port is of an address that a server can also reach by its name.
    for name in [addr.to_string(), format!("localhost:{}", addr.port())] {
        let (code, output) = Program::start(Command::new(example("delayed_server")).arg(name)).finish();
        assert_eq!(code, Some(1), "{output}");
        assert!(output.starts_with(&format!("delayed_server: {addr}: ")), "{output}");
        // The first line contains the system's description of the error. The last one is a command that works.
        let hint = output.split_once('\n').unwrap().1;
        assert!(hint.ends_with("\n    cargo run --example delayed_server 127.0.0.1:0\n"), "{output}");
        check_columns(hint);
    }
}

#[test]
fn a_server_and_its_client_accept_names() {
    let (_server, addr, mut output) = server_program(Command::new(example("delayed_server")).arg("localhost:0"));
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        output.read_line(line).unwrap();
        check_columns(line);
    }
    assert_eq!(lines[0], format!("In another terminal, run: curl http://{addr}/1000/hello\n"));
    check_next("delayed_server", lines[1].strip_suffix(&format!(" {addr}\n")));
    for name in [format!("localhost:{}", addr.port()), format!("http://localhost:{}/", addr.port()), addr.to_string()] {
        let client = Program::start(Command::new(example("delayed_client")).args([&name, "0/x"])).finish();
        assert_eq!(client.0, Some(0), "{name}: {}", client.1);
    }
}

#[test]
fn delayed_load_receives_all_responses_of_concurrent_requests() {
    let (code, output) = Program::start(Command::new(example("delayed_load")).args(["200", "1000"])).finish();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.starts_with("200 of 200 responses were right"), "{output}");
    assert!(output.contains("\n200 waited at the same time"), "{output}");
    check_next("delayed_load", output.lines().last());
    check_columns(&output);
}

#[test]
fn a_server_with_few_descriptors_answers_all_clients() {
    if env::consts::FAMILY != "unix" || !UNACCEPTED_CONNECTIONS_STAY {
        println!("not tested: this system limits no descriptors, or closes the connections that have to wait for one");
        return;
    }
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"ulimit -n 20; exec "$0" "$@""#]).arg(example("delayed_server")).arg("127.0.0.1:0");
    let (server, addr, mut log) = server_program(&mut shell);
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(addr)).collect();
    for client in &mut clients {
        client.get("/300/x");
    }
    // The clients keep their connections open. While no descriptor is left, the server closes each
    // connection after its response.
    let start = Instant::now();
    for client in &mut clients {
        assert_eq!(client.text(), "x");
    }
    let time = start.elapsed();
    // At most about fourteen requests wait at a time, so this takes at least four rounds of 300 ms. The server must not
    // spin meanwhile.
    assert!((ms(1200)..ms(8000)).contains(&time), "it took {time:?}");
    if let Some(busy) = processor_time(server.0.id()) {
        assert!(busy < time / 3, "busy for {busy:?} of {time:?}");
    }

    let mut lines = String::new();
    while lines.matches(" GET ").count() < clients.len() {
        assert_ne!(log.read_line(&mut lines).unwrap(), 0);
    }
    let messages = lines.matches("cannot accept for now: ").count();
    assert!((1..10).contains(&messages), "{lines}");
}

/// Returns the processor time of a process, or `None` on a system without `/proc`. The fields 14 and 15 of `stat` are
/// the user time and the system time, in hundredths of a second. Field 2 is the name, in parentheses.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let after_name = stat.rsplit(')').next()?;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok());
    Some(ms(10 * ticks.sum::<Option<u64>>()?))
}
