//! Unix sockets and pipes.

use std::os::unix::io::AsRawFd;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::{tcp, Result};

pub const CONNECTIONS: usize = 100;
pub const CHILDREN: u8 = 20;
/// How many lines each client sends.
pub const LINES: usize = 5;

pub async fn run(connections: usize) -> Result<String> {
    let folder = Folder::new()?;
    let path = folder.0.join("listener");
    let streams = streams(&path, connections).await?;
    let gone = UnixStream::connect(folder.0.join("missing")).await.unwrap_err().kind();
    let datagrams = datagrams(&folder.0, connections).await?;
    let (pipes, broken) = pipes(connections).await?;
    Ok(format!(
        "unix: {connections} streams, sum {streams}, {gone:?}; {datagrams} datagrams; {pipes} bytes in pipes, \
         {broken:?}"
    ))
}

async fn streams(path: &std::path::Path, connections: usize) -> Result<u64> {
    let listener = UnixListener::bind(path)?;
    let server = tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(tcp::answer(listener.accept().await?.0));
        }
        while let Some(served) = tasks.join_next().await {
            served??;
        }
        Result::Ok(())
    });
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let path = path.to_owned();
        clients.spawn(async move { tcp::converse(UnixStream::connect(path).await?, number).await });
    }
    let mut sum = 0;
    while let Some(client) = clients.join_next().await {
        sum += client??;
    }
    server.await??;
    Ok(sum)
}

async fn datagrams(folder: &std::path::Path, count: usize) -> Result<usize> {
    let path = folder.join("datagrams");
    let server = UnixDatagram::bind(&path)?;
    let (one, other) = UnixDatagram::pair()?;
    let client = UnixDatagram::bind(folder.join("client"))?;
    client.connect(&path)?;
    let mut received = 0;
    let mut buf = [0; 64];
    let sends = tokio::spawn(async move {
        // More datagrams than the queue of a socket holds by default, so some sends must wait.
        for number in 0..count {
            client.send(format!("{number}").as_bytes()).await?;
            one.send(format!("{number}").as_bytes()).await?;
        }
        Result::Ok((client, one))
    });
    for number in 0..count {
        let (size, from) = server.recv_from(&mut buf).await?;
        let named = from.as_pathname().is_some_and(|path| path.ends_with("client"));
        received += usize::from(named && buf[..size] == *number.to_string().as_bytes());
        let size = other.recv(&mut buf).await?;
        received += usize::from(buf[..size] == *number.to_string().as_bytes());
    }
    sends.await??;
    Ok(received)
}

async fn pipes(count: usize) -> Result<(usize, std::io::ErrorKind)> {
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(async move {
            let (mut sender, mut receiver) = pipe::pipe()?;
            assert!(sender.as_raw_fd() != receiver.as_raw_fd());
            let sends = tokio::spawn(async move { sender.write_all(&vec![number as u8; 100_000]).await });
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).await?;
            sends.await??;
            Result::Ok(received.iter().filter(|&&byte| byte == number as u8).count())
        });
    }
    let mut bytes = 0;
    while let Some(task) = tasks.join_next().await {
        bytes += task??;
    }
    let (mut sender, receiver) = pipe::pipe()?;
    drop(receiver);
    let broken = sender.write_all(&[1]).await.unwrap_err().kind();
    Ok((bytes, broken))
}

/// A temporary folder. The drop removes it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("tokio-program-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
