//! Named pipes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, PipeMode, ServerOptions};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{tcp, Result};

// Small numbers, because Wine is slow: a process starts slowly, a client must retry until a pipe is free, and each
// change of a socket is compared with all pending waits.
pub const CONNECTIONS: usize = 20;
pub const CHILDREN: u8 = 5;
/// How many lines each client sends.
pub const LINES: usize = 2;

/// The error when all instances of the pipe are in use.
const ERROR_PIPE_BUSY: i32 = 231;

pub async fn run(connections: usize) -> Result<String> {
    let name = format!(r"\\.\pipe\tokio-program-{}", std::process::id());
    let streams = streams(&name, connections).await?;
    let missing = ClientOptions::new().open(format!("{name}-missing")).unwrap_err().kind();
    let (messages, gone) = messages(&format!("{name}-messages"), 100).await?;
    Ok(format!("named pipes: {connections} streams, sum {streams}, {missing:?}; {messages} messages, then {gone:?}"))
}

async fn connect(name: &str) -> Result<NamedPipeClient> {
    loop {
        match ClientOptions::new().open(name) {
            Err(err) if err.raw_os_error() == Some(ERROR_PIPE_BUSY) => sleep(Duration::from_millis(5)).await,
            result => return Ok(result?),
        }
    }
}

async fn streams(name: &str, connections: usize) -> Result<u64> {
    let mut next = ServerOptions::new().first_pipe_instance(true).create(name)?;
    let server_name = name.to_owned();
    let server = tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            next.connect().await?;
            // Create the next instance first: this one may close immediately, and without an instance the pipe does not
            // exist.
            let following = ServerOptions::new().create(&server_name)?;
            tasks.spawn(tcp::answer(std::mem::replace(&mut next, following)));
        }
        while let Some(served) = tasks.join_next().await {
            served??;
        }
        Result::Ok(())
    });
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let name = name.to_owned();
        clients.spawn(async move { tcp::ask(&mut connect(&name).await?, number).await });
    }
    let mut sum = 0;
    while let Some(client) = clients.join_next().await {
        sum += client??;
    }
    server.await??;
    Ok(sum)
}

/// Checks that each message is read as it was written, and that the client gets an error after the server has
/// disconnected.
async fn messages(name: &str, count: usize) -> Result<(usize, Option<i32>)> {
    let mut server = ServerOptions::new().pipe_mode(PipeMode::Message).create(name)?;
    let mut client = ClientOptions::new().pipe_mode(PipeMode::Message).open(name)?;
    server.connect().await?;
    let echo = tokio::spawn(async move {
        let mut buf = [0; 4096];
        for _ in 0..count {
            let size = server.read(&mut buf).await?;
            server.write_all(&buf[..size]).await?;
        }
        // Wait until the client has read the last message.
        assert_eq!(server.read(&mut buf).await?, 3);
        server.disconnect()
    });
    let mut same = 0;
    let mut buf = [0; 4096];
    for number in 0..count {
        let message = vec![number as u8; 1 + number * 37 % 4000];
        client.write_all(&message).await?;
        let size = client.read(&mut buf).await?;
        same += usize::from(buf[..size] == message[..]);
    }
    client.write_all(b"bye").await?;
    echo.await??;
    Ok((same, client.read(&mut buf).await.unwrap_err().raw_os_error()))
}
