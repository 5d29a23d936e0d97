//! Checks how many times each operation calls `kevent`. The model counts the calls.

#[cfg(minimio_kqueue)]
fn main() {
    counted::main();
}

#[cfg(not(minimio_kqueue))]
fn main() {
    eprintln!("this program needs the queue for kqueue over the model: run verification/kqueue/tests.sh");
    std::process::exit(2);
}

#[cfg(minimio_kqueue)]
mod counted {
    use std::io::{Read, Write};
    use std::net;
    use std::os::raw::{c_int, c_long};
    use std::os::unix::io::AsRawFd;
    use std::time::Duration;

    use minimio::net::TcpStream;
    use minimio::{Events, Interest, Poll, Timer, Token};

    extern "C" {
        fn kqueue_model_calls(kq: c_int) -> c_long;
    }

    struct Counter {
        poll: Poll,
        events: Events,
        wrong: usize,
        right: usize,
    }

    impl Counter {
        fn expect(&mut self, calls: c_long, what: &str, work: impl FnOnce(&mut Poll, &mut Events)) {
            let kqueue = self.poll.as_raw_fd();
            // SAFETY: the function takes no pointer.
            let before = unsafe { kqueue_model_calls(kqueue) };
            work(&mut self.poll, &mut self.events);
            // SAFETY: the function takes no pointer.
            let made = unsafe { kqueue_model_calls(kqueue) } - before;
            if made == calls {
                self.right += 1;
            } else {
                println!("{what}: {made} calls of kevent, not {calls}");
                self.wrong += 1;
            }
        }
    }

    pub fn main() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;

        let (poll, events) = (Poll::new().unwrap(), Events::with_capacity(16));
        let mut counter = Counter { poll, events, wrong: 0, right: 0 };
        counter.expect(1, "an empty poll", |poll, events| poll.poll(events, Some(Duration::ZERO)).unwrap());
        counter
            .expect(1, "a poll that waits", |poll, events| poll.poll(events, Some(Duration::from_millis(1))).unwrap());
        for interest in [Interest::READABLE, Interest::WRITABLE, both, both.level(), both.oneshot()] {
            let what = format!("{interest:?}");
            counter.expect(1, &format!("register {what}"), |poll, _| {
                poll.registry().register(&mut stream, Token(1), interest).unwrap();
            });
            counter.expect(1, &format!("reregister from {what}"), |poll, _| {
                poll.registry().reregister(&mut stream, Token(1), both).unwrap();
            });
            counter.expect(1, &format!("deregister {what}"), |poll, _| {
                poll.registry().deregister(&mut stream).unwrap();
            });
        }

        counter.poll.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
        let mut buf = [0; 64];
        counter.expect(100, "a hundred round trips", |poll, events| {
            for _ in 0..100 {
                peer.write_all(b"request").unwrap();
                poll.poll(events, None).unwrap();
                let count = stream.read(&mut buf).unwrap();
                stream.write_all(&buf[..count]).unwrap();
                peer.read_exact(&mut buf[..count]).unwrap();
            }
        });

        // The first timer opens the notifier.
        for (calls, number) in [(1, "first"), (0, "second")] {
            let mut timer = Timer::new();
            counter.expect(calls, &format!("the {number} timer, which is registered, set and cancelled"), |poll, _| {
                poll.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
                timer.set(Duration::from_secs(60)).unwrap();
                timer.cancel();
            });
        }
        println!("{} passed, {} failed", counter.right, counter.wrong);
        std::process::exit(i32::from(counter.wrong > 0));
    }
}
