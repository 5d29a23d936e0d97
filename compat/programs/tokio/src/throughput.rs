//! Round trips over TCP: many clients, each with one pending request.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Result;

const CLIENTS: usize = 64;
const SIZE: usize = 64;

pub fn run(span: Duration) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (count, elapsed) = runtime.block_on(round_trips(span))?;
    println!("{:.0}", count as f64 / elapsed.as_secs_f64());
    Ok(())
}

async fn round_trips(span: Duration) -> Result<(u64, Duration)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            let mut stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let (mut buf, mut count) = ([7; SIZE], 0);
            while start.elapsed() < span {
                stream.write_all(&buf).await?;
                stream.read_exact(&mut buf).await?;
                count += 1;
            }
            Result::Ok(count)
        });
    }
    let mut total = 0;
    while let Some(count) = clients.join_next().await {
        total += count??;
    }
    Ok((total, start.elapsed()))
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = [0; SIZE];
    loop {
        stream.read_exact(&mut buf).await?;
        stream.write_all(&buf).await?;
    }
}
