//! What smol builds on polling: sockets, child processes, timers and any other descriptor, at the same time. The output
//! does not depend on the order of events.
//!
//! ```text
//! smol-program                       everything
//! smol-program throughput SECONDS    prints how many round trips a second, over TCP
//! ```

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use smol::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use smol::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use smol::process::Command;
use smol::stream::StreamExt;
use smol::{future, Async, Timer};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The time limit of each part.
const TIME_LIMIT: Duration = Duration::from_secs(100);
const CONNECTIONS: usize = 500;
const LINES: usize = 10;
const SIZE: usize = 64;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["throughput", seconds] => throughput(Duration::from_secs(seconds.parse()?)),
        _ => everything(),
    }
}

fn everything() -> Result<()> {
    let parts = [
        smol::spawn(part(tcp())),
        smol::spawn(part(udp())),
        smol::spawn(part(shutdown())),
        smol::spawn(part(failures())),
        smol::spawn(part(bulk())),
        smol::spawn(part(unix())),
        smol::spawn(part(processes())),
        smol::spawn(part(timers())),
    ];
    // smol runs its tasks on one thread. This thread runs no task. It waits for events, because `block_on` does this
    // while its future is pending.
    thread::spawn(|| smol::block_on(future::pending::<()>()));
    for part in parts {
        println!("{}", smol::block_on(part)?);
    }
    Ok(())
}

async fn part(part: impl future::Future<Output = Result<String>>) -> Result<String> {
    let late = async {
        Timer::after(TIME_LIMIT).await;
        Err(format!("not within {TIME_LIMIT:?}").into())
    };
    future::or(part, late).await
}

async fn tcp() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = smol::spawn(async move {
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            tasks.push(smol::spawn(answer(listener.accept().await?.0)));
        }
        sum(tasks).await
    });
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        clients.push(smol::spawn(async move { converse(TcpStream::connect(address).await?, number).await }));
    }
    Ok(format!("tcp: {CONNECTIONS} connections, bytes {}, lines {}", sum(clients).await?, server.await?))
}

async fn sum(tasks: Vec<smol::Task<Result<u64>>>) -> Result<u64> {
    let mut sum = 0;
    for task in tasks {
        sum += task.await?;
    }
    Ok(sum)
}

/// Sends each line back in capitals, until the end. Returns the number of lines.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<u64> {
    let (reader, mut writer) = smol::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut count = 0;
    while let Some(line) = lines.next().await {
        writer.write_all(format!("{}\n", line?.to_uppercase()).as_bytes()).await?;
        count += 1;
    }
    writer.close().await?;
    Ok(count)
}

/// Sends lines with pauses, checks the answers, and waits for the end. Returns the number of bytes of all answers.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, number: usize) -> Result<u64> {
    let mut stream = BufReader::new(stream);
    let mut bytes = 0;
    for line in 0..LINES {
        Timer::after(Duration::from_millis((number * 7 + line * 13) as u64 % 20)).await;
        let request = format!("client {number} says {line}\n");
        stream.get_mut().write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_line(&mut response).await?;
        if response != request.to_uppercase() {
            return Err(format!("{request:?} was answered by {response:?}").into());
        }
        bytes += response.len() as u64;
    }
    stream.get_mut().close().await?;
    match stream.read(&mut [0]).await? {
        0 => Ok(bytes),
        _ => Err("bytes after the last response".into()),
    }
}

async fn udp() -> Result<String> {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let (to, mut sum) = (other.local_addr()?, 0);
    for number in 0..100u8 {
        let receive = async {
            let mut datagram = [0];
            other.recv_from(&mut datagram).await?;
            io::Result::Ok(datagram[0])
        };
        let send = async {
            Timer::after(Duration::from_millis(1)).await;
            one.send_to(&[number], to).await
        };
        sum += u32::from(future::try_zip(receive, send).await?.0);
    }
    Ok(format!("udp: sum {sum}"))
}

/// Each side ends its direction alone.
async fn shutdown() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let mut server = listener.accept().await?.0;
    client.shutdown(Shutdown::Write)?;
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    server.write_all(b"after the client's end").await?;
    drop(server);
    client.read_to_string(&mut text).await?;
    Ok(format!("shutdown: {text}"))
}

async fn failures() -> Result<String> {
    // No system assigns port 1.
    let refused = TcpStream::connect("127.0.0.1:1").await.map(drop).map_err(|err| err.kind());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let server = listener.accept().await?.0;
    client.write_all(b"unread").await?;
    let idle = future::or(async { client.read(&mut [0]).await.map(Some) }, async {
        Timer::after(Duration::from_millis(20)).await;
        Ok(None)
    });
    let idle = idle.await?;
    // The unread bytes make this drop send a reset.
    drop(server);
    let reset = match client.read(&mut [0]).await.map_err(|err| err.kind()) {
        Err(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => "an error",
        _ => "no error",
    };
    Ok(format!("failures: refused {refused:?}, idle {idle:?}, reset {reset}"))
}

/// Sends more bytes in one direction than the buffers hold, so that writes must wait.
async fn bulk() -> Result<String> {
    const MIB: usize = 16;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let mut server = listener.accept().await?.0;
    let sender = smol::spawn(async move {
        let block: Vec<u8> = (0..1u32 << 20).map(|number| (number % 251) as u8).collect();
        for _ in 0..MIB {
            server.write_all(&block).await?;
        }
        server.close().await
    });
    // Give the sender the time to fill its buffers.
    Timer::after(Duration::from_millis(50)).await;
    let (mut size, mut sum, mut buffer) = (0, 0u64, vec![0; 1 << 16]);
    loop {
        match client.read(&mut buffer).await? {
            0 => break,
            count => {
                size += count;
                sum += buffer[..count].iter().map(|&byte| u64::from(byte)).sum::<u64>();
            }
        }
    }
    sender.await?;
    Ok(format!("bulk: {size} bytes, sum {sum}"))
}

#[cfg(unix)]
async fn unix() -> Result<String> {
    use smol::net::unix::UnixStream;
    use std::io::{Read, Write};
    use std::os::unix::net;

    let mut tasks = Vec::new();
    for number in 0..100 {
        let (one, other) = UnixStream::pair()?;
        smol::spawn(answer(one)).detach();
        tasks.push(smol::spawn(converse(other, number)));
    }
    let bytes = sum(tasks).await?;
    // The methods of `Async` that wait for one direction and then call the program's operation.
    let (one, other) = Async::<net::UnixStream>::pair()?;
    one.write_with(|mut stream| stream.write(b"!")).await?;
    other.readable().await?;
    let count = other.read_with(|mut stream| stream.read(&mut [0; 8])).await?;
    Ok(format!("unix: bytes {bytes}, {count} by `read_with`"))
}

#[cfg(windows)]
async fn unix() -> Result<String> {
    let socket = Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    socket.writable().await?;
    Ok("unix: none".into())
}

async fn processes() -> Result<String> {
    let mut tasks = Vec::new();
    for number in 1..=10u64 {
        tasks.push(smol::spawn(async move {
            let mut command = Command::new(if cfg!(windows) { "cmd" } else { "sh" });
            command.args([if cfg!(windows) { "/c" } else { "-c" }, &format!("exit {number}")]);
            let status = command.stdin(Stdio::null()).status().await?;
            Result::Ok(status.code().ok_or("killed")? as u64)
        }));
    }
    let missing = Command::new("a program that does not exist").spawn().map(drop).map_err(|err| err.kind());
    Ok(format!("processes: sum of codes {}, {missing:?}", sum(tasks).await?))
}

async fn timers() -> Result<String> {
    let mut tasks = Vec::new();
    for number in 0..500u64 {
        tasks.push(smol::spawn(async move {
            let (start, pause) = (Instant::now(), Duration::from_millis(number * 31 % 300));
            Timer::after(pause).await;
            Result::Ok(u64::from(start.elapsed() >= pause))
        }));
    }
    let ticks = Timer::interval(Duration::from_millis(10)).take(20).count().await;
    Ok(format!("timers: {} not early, {ticks} ticks", sum(tasks).await?))
}

/// Round trips over TCP: many clients, each with one pending request, on one thread.
fn throughput(span: Duration) -> Result<()> {
    let executor = smol::LocalExecutor::new();
    let start = Instant::now();
    let count = smol::block_on(executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut clients = Vec::new();
        for _ in 0..64 {
            let mut client = TcpStream::connect(address).await?;
            let mut server = listener.accept().await?.0;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let echo = executor.spawn(async move {
                let mut buffer = [0; SIZE];
                while server.read_exact(&mut buffer).await.is_ok() {
                    server.write_all(&buffer).await?;
                }
                io::Result::Ok(())
            });
            echo.detach();
            clients.push(executor.spawn(async move {
                let (mut buffer, mut count) = ([7; SIZE], 0);
                while start.elapsed() < span {
                    client.write_all(&buffer).await?;
                    client.read_exact(&mut buffer).await?;
                    count += 1;
                }
                Result::Ok(count)
            }));
        }
        sum(clients).await
    }))?;
    println!("{:.0}", count as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
