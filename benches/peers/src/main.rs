//! The same work done by a bare epoll loop, by minimio and by mio, as often as asked for. `instructions.sh` counts what
//! it takes.
//!
//! ```text
//! peers <bare|minimio|mio> <scenario> <rounds>
//! ```

mod bare;

/// The two libraries have one API, so one source serves both.
mod minimio {
    use minimio as library;
    include!("library.rs");
}
mod mio {
    use mio as library;
    include!("library.rs");
}

/// How many streams there are in a batch.
const BATCH: usize = 64;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, library, scenario, rounds] = &args[..] else {
        panic!("usage: peers <bare|minimio|mio> <scenario> <rounds>")
    };
    let rounds = rounds.parse().expect("a number of rounds");
    let (empty, ping_pong, batch, register, connect): Scenarios = match library.as_str() {
        "bare" => (bare::empty, bare::ping_pong, bare::batch, bare::register, bare::connect),
        "minimio" => (minimio::empty, minimio::ping_pong, minimio::batch, minimio::register, minimio::connect),
        "mio" => (mio::empty, mio::ping_pong, mio::batch, mio::register, mio::connect),
        other => panic!("no library {other}"),
    };
    match scenario.as_str() {
        "empty" => empty(rounds),
        "ping-pong" => ping_pong(rounds),
        "batch" => batch(rounds),
        "register" => register(rounds),
        "connect" => connect(rounds),
        other => panic!("no scenario {other}"),
    }
}

/// An empty poll; a byte there and back; a batch, per stream; register, reregister and deregister; connect and accept.
type Scenarios = (fn(usize), fn(usize), fn(usize), fn(usize), fn(usize));

/// A connected pair of the standard library's streams, non-blocking, that sends what it is given at once.
fn pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let one = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for stream in [&one, &other] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (one, other)
}
