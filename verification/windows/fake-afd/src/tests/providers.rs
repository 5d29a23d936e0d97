//! Service providers that put a socket of their own in front of the kernel's.

use crate::kernel::layout::*;
use crate::world::{everywhere, with_loop, Loop, Peer, World};
use crate::{Interest, Token};

/// Opens a stream with `depth` sockets below it. For each socket, the query `query` returns the next socket, and the
/// query for the base socket fails. Returns the stream, the sockets below it, which the test must close, and the peer
/// of the lowest socket.
fn layers(world: &World, query: u32, depth: usize) -> (crate::world::Stream, Vec<crate::world::RawSocket>, Peer) {
    let (stream, mut peer) = world.unconnected();
    let mut below = Vec::new();
    for _ in 0..depth {
        let (number, next) = world.raw();
        peer.change(|socket| {
            socket.set_layer(SIO_BASE_HANDLE, Err(WSAEOPNOTSUPP));
            socket.set_layer(query, Ok(number.0));
        });
        below.push(number);
        peer = next;
    }
    (stream, below, peer)
}

#[test]
fn the_request_names_the_base_socket() {
    everywhere(|world| {
        let (mut stream, peer) = world.unconnected();
        let (base, base_peer) = world.raw();
        peer.change(|socket| socket.set_layer(SIO_BASE_HANDLE, Ok(base.0)));
        let mut queue = Loop::new();
        queue.register(&mut stream, 1, Interest::READABLE.level());
        peer.sends(1);
        assert_eq!(queue.now(), []);
        base_peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        queue.deregister(&mut stream);
        base.close();
    });
}

#[test]
fn where_a_provider_blocks_the_base_query_the_other_queries_lead_deeper() {
    everywhere(|world| {
        for query in [SIO_BSP_HANDLE_SELECT, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE] {
            for depth in [1, 2, 7] {
                let (mut stream, below, peer) = layers(world, query, depth);
                let mut queue = Loop::new();
                queue.register(&mut stream, 1, Interest::READABLE);
                peer.sends(1);
                assert_eq!(queue.now(), [(1, RECEIVE)], "{query:x}, {depth}");
                queue.deregister(&mut stream);
                below.iter().for_each(|number| number.close());
            }
        }
    });
}

#[test]
fn a_query_that_returns_the_same_socket_is_skipped() {
    everywhere(|world| {
        let (mut stream, below, peer) = layers(world, SIO_BSP_HANDLE, 1);
        let front = world.kernel().endpoint(stream.number()).unwrap();
        let number = stream.number();
        world.kernel().change(front, |socket| socket.set_layer(SIO_BSP_HANDLE_SELECT, Ok(number)));
        let mut queue = Loop::new();
        queue.register(&mut stream, 1, Interest::READABLE);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        queue.deregister(&mut stream);
        below.iter().for_each(|number| number.close());
    });
}

#[test]
fn a_provider_that_supports_no_query_is_an_error() {
    everywhere(|world| {
        let (mut stream, peer) = world.unconnected();
        peer.change(|socket| socket.set_layer(SIO_BASE_HANDLE, Err(WSAEOPNOTSUPP)));
        let queue = Loop::new();
        let error = queue.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(WSAEOPNOTSUPP), "{error}");
        assert_eq!(world.kernel().devices(), 0);
    });
}

#[test]
fn a_reused_number_with_another_base_socket_gets_another_sock() {
    everywhere(|world| {
        let (base, base_peer) = world.raw();
        let mut queue = Loop::new();
        let (number, _) = queue.registered(world.raw(), Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        number.close();
        let (mut reused, peer) = world.raw();
        assert_eq!(reused, number);
        peer.change(|socket| socket.set_layer(SIO_BASE_HANDLE, Ok(base.0)));
        queue.reregister(&mut reused, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        base_peer.sends(1);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        queue.deregister(&mut reused);
        reused.close();
        base.close();
    });
}

#[test]
fn providers_that_form_a_circle_are_an_error() {
    everywhere(|world| {
        let (mut stream, peer) = world.unconnected();
        let (other, other_peer) = world.raw();
        for (socket, below) in [(peer, other.0), (other_peer, stream.number())] {
            socket.change(|socket| {
                socket.set_layer(SIO_BASE_HANDLE, Err(WSAEOPNOTSUPP));
                socket.set_layer(SIO_BSP_HANDLE_POLL, Ok(below));
            });
        }
        let queue = Loop::new();
        let error = queue.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap_err();
        assert!(error.to_string().contains("circle"), "{error}");
        other.close();
    });
}

#[test]
fn a_handle_that_is_not_a_socket_is_an_error_without_further_queries() {
    with_loop(|world, queue| {
        let (mut number, peer) = world.raw();
        let (below, _) = world.raw();
        // A broken provider that answers every query.
        peer.change(|socket| {
            socket.set_layer(SIO_BASE_HANDLE, Err(WSAENOTSOCK));
            socket.set_layer(SIO_BSP_HANDLE, Ok(below.0));
        });
        let error = queue.registry().register(&mut number, Token(1), Interest::READABLE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(WSAENOTSOCK), "{error}");
        number.close();
        let error = queue.registry().register(&mut number, Token(1), Interest::READABLE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(WSAENOTSOCK), "{error}");
        below.close();
    });
}
