//! TCP connections: all are open before the first byte is sent, and each has its own pauses.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{system, Result};

pub async fn run(connections: usize) -> Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(1024)?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, connections));

    let all_are_open = Arc::new(Barrier::new(connections));
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let all_are_open = all_are_open.clone();
        clients.spawn(async move {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            all_are_open.wait().await;
            converse(stream, number).await
        });
    }
    let mut sum = 0;
    while let Some(client) = clients.join_next().await {
        sum += client??;
    }
    let served = server.await??;
    Ok(format!("tcp: {connections} connections at once, {served} lines served, sum {sum}, and {}", bulk().await?))
}

async fn serve(listener: TcpListener, connections: usize) -> Result<usize> {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        tasks.spawn(answer(stream));
    }
    let mut lines = 0;
    while let Some(served) = tasks.join_next().await {
        lines += served??;
    }
    Ok(lines)
}

/// Sends each line back in capitals, until the client has shut down or closed. Returns the number of lines.
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<usize> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut count = 0;
    loop {
        match lines.next_line().await {
            Ok(Some(line)) => writer.write_all(format!("{}\n", line.to_uppercase()).as_bytes()).await?,
            Ok(None) => break writer.shutdown().await?,
            // The end of a named pipe is reported as this error.
            Err(err) if err.kind() == ErrorKind::BrokenPipe => break,
            Err(err) => return Err(err.into()),
        }
        count += 1;
    }
    Ok(count)
}

/// Sends all requests, shuts down, waits for the server's end, and returns the sum of the bytes of all responses.
pub async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, number: usize) -> Result<u64> {
    let sum = ask(&mut stream, number).await?;
    stream.shutdown().await?;
    if stream.read(&mut [0]).await? != 0 {
        return Err("bytes after the last response".into());
    }
    Ok(sum)
}

pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, number: usize) -> Result<u64> {
    let mut stream = BufReader::new(stream);
    let mut sum = 0;
    for line in 0..system::LINES {
        sleep(Duration::from_millis((number * 7 + line * 13) as u64 % 20)).await;
        let request = format!("client {number} says {line}\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_line(&mut response).await?;
        if response != request.to_uppercase() {
            return Err(format!("{request:?} was answered by {response:?}").into());
        }
        sum += response.bytes().map(u64::from).sum::<u64>();
    }
    Ok(sum)
}

/// Sends more bytes in one direction than the buffers hold, so that writes must wait.
async fn bulk() -> Result<String> {
    const SIZE: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let sender = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let block: Vec<u8> = (0..1 << 20).map(|number: u32| (number % 251) as u8).collect();
        for _ in 0..SIZE / block.len() {
            stream.write_all(&block).await?;
        }
        stream.shutdown().await
    });
    let mut stream = TcpStream::connect(addr).await?;
    // Wait until the sender's buffers are full.
    sleep(Duration::from_millis(50)).await;
    let (mut size, mut sum, mut buf) = (0, 0u64, vec![0; 1 << 16]);
    loop {
        match stream.read(&mut buf).await? {
            0 => break,
            count => {
                size += count;
                sum += buf[..count].iter().map(|&byte| u64::from(byte)).sum::<u64>();
            }
        }
    }
    sender.await??;
    Ok(format!("{size} bytes in bulk, sum {sum}"))
}

/// Connects to a port without a listener, waits on an idle connection, and reads from one that was reset. Returns the
/// kinds of the errors.
pub async fn run_refused() -> Result<String> {
    // No system assigns port 1. A port that was just closed might be assigned again, and Wine closes a listener some
    // time after the program has closed it, with mio too.
    let refused = TcpStream::connect("127.0.0.1:1").await.unwrap_err().kind();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, server) = tokio::try_join!(TcpStream::connect(listener.local_addr()?), listener.accept())?;
    let idle = timeout(Duration::from_millis(20), client.readable()).await.is_err();
    let mut client = client;
    #[allow(deprecated)] // The drop must send a reset.
    server.0.set_linger(Some(Duration::ZERO))?;
    drop(server);
    let reset = client.read(&mut [0]).await.map_err(|err| err.kind());
    Ok(format!("tcp: refused {refused:?}, idle {idle}, reset {reset:?}"))
}
