//! Sleeps, intervals and timeouts while the other parts run.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout, Instant};

use crate::Result;

pub async fn run(sleepers: usize) -> Result<String> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..sleepers {
        tasks.spawn(async move {
            let pause = Duration::from_millis((number * 31 % 300) as u64);
            let start = Instant::now();
            sleep(pause).await;
            start.elapsed() >= pause
        });
    }
    let mut ticks = interval(Duration::from_millis(10));
    for _ in 0..21 {
        ticks.tick().await;
    }
    let steady = start.elapsed() >= Duration::from_millis(200);
    let late = timeout(Duration::from_millis(10), std::future::pending::<()>()).await.is_err();
    let in_time = timeout(Duration::from_secs(60), sleep(Duration::from_millis(1))).await.is_ok();
    let mut never_early = 0;
    while let Some(slept) = tasks.join_next().await {
        never_early += usize::from(slept?);
    }
    Ok(format!("time: {never_early} sleeps not too short, ticks {steady}, late {late}, in time {in_time}"))
}
