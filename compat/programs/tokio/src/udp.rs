//! Datagrams: a client repeats a request when a datagram is lost.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Result;

const REQUESTS: usize = 20;

pub async fn run(clients: usize) -> Result<String> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = server.local_addr()?;
    let server = tokio::spawn(async move {
        let mut buf = [0; 64];
        loop {
            // If a client has closed its socket before the response arrives, Windows reports that as an error here.
            let Ok((count, from)) = server.recv_from(&mut buf).await else { continue };
            buf[..count].reverse();
            let _ = server.send_to(&buf[..count], from).await;
        }
    });
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        tasks.spawn(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(addr).await?;
            let mut answered = 0;
            for request in 0..REQUESTS {
                let request = format!("client {number}, request {request}");
                let expected: Vec<u8> = request.bytes().rev().collect();
                let mut buf = [0; 64];
                loop {
                    socket.send(request.as_bytes()).await?;
                    match timeout(Duration::from_millis(500), socket.recv(&mut buf)).await {
                        Ok(Ok(count)) if buf[..count] == expected[..] => break,
                        Ok(Err(err)) => return Err(err.into()),
                        // The datagram is lost, or it is the second response to a repeated request.
                        _ => continue,
                    }
                }
                answered += 1;
            }
            Result::Ok(answered)
        });
    }
    let mut answered = 0;
    while let Some(task) = tasks.join_next().await {
        answered += task??;
    }
    server.abort();
    Ok(format!("udp: {clients} sockets, {answered} responses"))
}
