//! Ends, errors, connections.

use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::io::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::{env, fs, process};

mod support;
use support::*;

/// Returns a kqueue with edge-triggered knotes for both directions.
fn watched(socket: &impl AsRawFd) -> Kqueue {
    let kq = Kqueue::new();
    kq.change(ident(socket), READ, EDGE).unwrap();
    kq.change(ident(socket), WRITE, EDGE).unwrap();
    kq
}

fn of(events: &[Event], filter: i16) -> Vec<Event> {
    events.iter().copied().filter(|event| event.filter == filter).collect()
}

/// Waits until an event of a filter is reported.
fn wait_for_filter(kq: &Kqueue, filter: i16) -> Event {
    loop {
        let events = kq.soon();
        assert_ne!(events, []);
        if let [event] = of(&events, filter)[..] {
            return event;
        }
    }
}

#[test]
fn the_peers_shutdown_is_reported_with_the_data_before_it() {
    let (ours, theirs) = connection();
    let kq = Kqueue::new();
    kq.change(ident(&ours), READ, EDGE).unwrap();
    write_to(&theirs, b"bye");
    drop(theirs);
    let mut events = kq.soon();
    // The data may have been reported before the end arrived.
    if events == [event(ident(&ours), READ, 3)] {
        events = kq.soon();
    }
    assert_eq!(events, [eof(ident(&ours), READ, 3, 0)]);
    read_from(&ours, 9);
    kq.stays_silent();
    kq.change(ident(&ours), READ, EDGE).unwrap();
    assert_eq!(kq.soon(), [eof(ident(&ours), READ, 0, 0)]);
}

#[test]
fn the_peers_shutdown_does_not_end_our_writing() {
    let (ours, theirs) = connection();
    theirs.shutdown(Shutdown::Write).unwrap();
    let kq = watched(&ours);
    assert_eq!(wait_for_filter(&kq, READ), eof(ident(&ours), READ, 0, 0));
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(wait_for_filter(&kq, WRITE), event(ident(&ours), WRITE, 0));
}

#[test]
fn a_reset_ends_both_halves_and_the_program_can_still_read_the_error() {
    for nothing_was_registered_before in [false, true] {
        let (ours, theirs) = connection();
        let kq = Kqueue::new();
        let register = || {
            kq.change(ident(&ours), READ, EDGE).unwrap();
            kq.change(ident(&ours), WRITE, EDGE).unwrap();
        };
        if !nothing_was_registered_before {
            register();
            assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
        }
        reset(theirs);
        register();
        let expected = [eof(ident(&ours), WRITE, 0, ECONNRESET), eof(ident(&ours), READ, 0, ECONNRESET)];
        assert_eq!(kq.soon(), expected);
        assert_eq!(ours.take_error().unwrap().unwrap().raw_os_error(), Some(ECONNRESET));
        // Reading the error clears it; the end stays.
        register();
        assert_eq!(kq.soon(), [eof(ident(&ours), WRITE, 0, 0), eof(ident(&ours), READ, 0, 0)]);
    }
}

#[test]
fn a_refused_connection_ends_both_halves_and_the_program_can_still_read_the_error() {
    let socket = unconnected();
    start_connect(&socket, unused_port());
    let kq = watched(&socket);
    let expected = [eof(ident(&socket), WRITE, 0, ECONNREFUSED), eof(ident(&socket), READ, 0, ECONNREFUSED)];
    assert_eq!(kq.soon(), expected);
    assert_eq!(socket.take_error().unwrap().unwrap().raw_os_error(), Some(ECONNREFUSED));
}

#[test]
fn an_unconnected_socket_is_not_reported_until_it_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = unconnected();
    let kq = Kqueue::new();
    kq.change(ident(&socket), READ, EV_ADD).unwrap();
    kq.change(ident(&socket), WRITE, EV_ADD).unwrap();
    assert!(!is_readable(kq.0));
    kq.stays_silent();
    start_connect(&socket, listener.local_addr().unwrap().port());
    assert_eq!(kq.soon(), [event(ident(&socket), WRITE, 0)]);
}

#[test]
fn our_own_shutdown_ends_writing() {
    let (ours, _theirs) = connection();
    let kq = watched(&ours);
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(kq.soon(), [eof(ident(&ours), WRITE, 0, 0)]);

    let (ours, _theirs) = UnixStream::pair().unwrap();
    let kq = watched(&ours);
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(kq.soon(), [eof(ident(&ours), WRITE, 0, 0)]);
}

#[test]
fn our_own_shutdown_ends_reading() {
    let (ours, _theirs) = connection();
    let kq = Kqueue::new();
    kq.change(ident(&ours), READ, EDGE).unwrap();
    ours.shutdown(Shutdown::Read).unwrap();
    assert_eq!(kq.soon(), [eof(ident(&ours), READ, 0, 0)]);
}

#[test]
fn a_full_socket_is_writable_again_when_the_peer_has_read() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let kq = Kqueue::new();
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon().len(), 1);
    let mut filled = 0;
    let chunk = [0u8; 4096];
    loop {
        // SAFETY: the buffer holds as many bytes as the length.
        match unsafe { write(ours.as_raw_fd(), chunk.as_ptr() as *const _, chunk.len()) } {
            count if count > 0 => filled += count,
            _ => break,
        }
    }
    kq.stays_silent();
    while filled > 0 {
        filled -= read_from(&theirs, 1 << 16);
    }
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
}

#[test]
fn a_tcp_listener_reports_how_many_connections_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let kq = watched(&listener);
    kq.stays_silent();
    let first = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(kq.soon(), [event(ident(&listener), READ, 1)]);
    let second = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(kq.soon(), [event(ident(&listener), READ, 2)]);
    drop((first, second));
}

#[test]
fn a_unix_listener_reports_one_waiting_connection() {
    let path = env::temp_dir().join(format!("kqueue-model-{}", process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let kq = watched(&listener);
    let _first = UnixStream::connect(&path).unwrap();
    assert_eq!(kq.soon(), [event(ident(&listener), READ, 1)]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_close_of_a_unix_peer_ends_both_halves() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let kq = watched(&ours);
    assert_eq!(kq.soon(), [eof(ident(&ours), WRITE, 0, 0), eof(ident(&ours), READ, 0, 0)]);
}

#[test]
fn a_refused_datagram_is_reported_without_an_end() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let kq = watched(&socket);
    assert_eq!(kq.soon(), [event(ident(&socket), WRITE, 0)]);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(b"four", socket.local_addr().unwrap()).unwrap();
    // The number of bytes includes the address of the sender, 16 bytes.
    assert_eq!(wait_for_filter(&kq, READ), event(ident(&socket), READ, 20));
    read_from(&socket, 9);

    socket.connect(other.local_addr().unwrap()).unwrap();
    drop(other);
    socket.send(b"request").unwrap();
    assert_eq!(wait_for_filter(&kq, READ), event(ident(&socket), READ, 0));
    assert_eq!(socket.take_error().unwrap().unwrap().raw_os_error(), Some(ECONNREFUSED));
}
