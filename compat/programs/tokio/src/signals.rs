//! Signals on Unix. On Windows, only a check that none is reported.

use std::time::Duration;

use tokio::time::timeout;

use crate::Result;

#[cfg(unix)]
pub async fn run(count: usize) -> Result<String> {
    use tokio::process::Command;
    use tokio::signal::unix::{signal, SignalKind};

    let mut first = signal(SignalKind::user_defined1())?;
    let mut second = signal(SignalKind::user_defined1())?;
    let mut other = signal(SignalKind::user_defined2())?;
    let mut seen = 0;
    for _ in 0..count {
        let kill = format!("kill -USR1 {}", std::process::id());
        let status = Command::new("/bin/sh").args(["-c", &kill]).status().await?;
        // Two pending signals of the same kind are one, so send and receive one at a time.
        seen += usize::from(first.recv().await.is_some() && second.recv().await.is_some() && status.success());
    }
    let silent = timeout(Duration::from_millis(20), other.recv()).await.is_err();
    Ok(format!("signals: {seen} seen by two, the other silent {silent}"))
}

#[cfg(windows)]
pub async fn run(_: usize) -> Result<String> {
    let mut breaks = tokio::signal::windows::ctrl_break()?;
    let silent = timeout(Duration::from_millis(20), breaks.recv()).await.is_err();
    Ok(format!("signals: silent {silent}"))
}
