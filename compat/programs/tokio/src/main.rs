//! Everything that tokio builds on mio, at the same time, in one process. The output does not depend on the order of
//! events.
//!
//! ```text
//! tokio-program [MANY [FEW]]        everything, on a runtime of several threads, then on one of a single thread
//! tokio-program throughput SECONDS  prints how many round trips a second, over TCP
//! ```
//!
//! MANY is the number of simultaneous connections on several threads (default: 1000), FEW on a single thread (default:
//! MANY).

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

/// The time limit of each part, while the other parts run. A run takes a second on Linux, and much longer under Wine on
/// a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(500);

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
        // All parts run at the same time. Their reports contain no times, so that the outputs can be compared.
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

/// Runs a part as a task. An error starts with the name of the part.
async fn part(name: &str, part: impl Future<Output = Result<String>> + Send + 'static) -> Result<String> {
    match timeout(TIME_LIMIT, tokio::spawn(part)).await {
        Ok(Ok(Ok(report))) => Ok(report),
        Ok(Ok(Err(err))) => Err(format!("{name}: {err}").into()),
        Ok(Err(err)) => Err(format!("{name}: {err}").into()),
        Err(_) => Err(format!("{name}: not within {TIME_LIMIT:?}").into()),
    }
}
