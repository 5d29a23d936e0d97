//! All that tokio builds on mio, at once, in one process: what it prints does not depend on who is ready first.
//!
//! ```text
//! tokio-program [MANY [FEW]]        everything, on a runtime of several threads, then on one of a single thread
//! tokio-program throughput SECONDS  how many round trips a second, over TCP
//! ```
//!
//! MANY is how many connections there are at once on several threads (default: 1000), FEW on a single one (as many).

mod process;
mod signals;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;
mod tcp;
mod throughput;
mod time;
mod udp;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// For each part, all others going on. A run takes a second on Linux and, under Wine, as long as the machine is busy.
const PATIENCE: Duration = Duration::from_secs(500);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", number] => process::child(number.parse()?),
        ["throughput", seconds] => throughput::run(Duration::from_secs(seconds.parse()?)),
        [] => everything(1000, 1000),
        [many] => everything(many.parse()?, many.parse()?),
        [many, few] => everything(many.parse()?, few.parse()?),
        _ => Err("tokio-program [MANY [FEW]] | throughput SECONDS".into()),
    }
}

fn everything(many: usize, few: usize) -> Result<()> {
    run("several threads", Builder::new_multi_thread().worker_threads(4).enable_all().build()?, many)?;
    run("a single thread", Builder::new_current_thread().enable_all().build()?, few)
}

fn run(name: &str, runtime: Runtime, connections: usize) -> Result<()> {
    let (tcp, refused, udp, system, process, signals, time) = runtime.block_on(async {
        // All at the same time. Each says what it saw, and nobody how long it took.
        tokio::try_join!(
            part("tcp", tcp::run(connections)),
            part("refused", tcp::run_refused()),
            part("udp", udp::run(100)),
            part("system", system::run(system::CONNECTIONS)),
            part("process", process::run(system::CHILDREN)),
            part("signals", signals::run(10)),
            part("time", time::run(1000)),
        )
    })?;
    println!("{name}");
    for report in [tcp, refused, udp, system, process, signals, time] {
        println!("  {report}");
    }
    Ok(())
}

/// A part in a task of its own, which fails by its name.
async fn part(name: &str, part: impl Future<Output = Result<String>> + Send + 'static) -> Result<String> {
    match timeout(PATIENCE, tokio::spawn(part)).await {
        Ok(Ok(Ok(report))) => Ok(report),
        Ok(Ok(Err(err))) => Err(format!("{name}: {err}").into()),
        Ok(Err(err)) => Err(format!("{name}: {err}").into()),
        Err(_) => Err(format!("{name}: not within {PATIENCE:?}").into()),
    }
}
