//! Children: what they say, how they end, and that they can be ended.

use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::Result;

/// What a child does: answers what it was told, and ends with its number. Number 0 waits until it is ended.
pub fn child(number: u8) -> Result<()> {
    let mut told = Vec::new();
    std::io::stdin().read_to_end(&mut told)?;
    if number == 0 {
        loop {
            std::thread::park();
        }
    }
    told.reverse();
    std::io::stdout().write_all(&told)?;
    std::process::exit(number.into());
}

fn itself(number: u8) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", &number.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

pub async fn run(children: u8) -> Result<String> {
    let mut tasks = JoinSet::new();
    for number in 1..=children {
        tasks.spawn(async move {
            let mut child = itself(number)?.spawn()?;
            let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            // More than a pipe holds.
            let told: Vec<u8> = (0..300_000u32).map(|byte| (byte % 253) as u8 ^ number).collect();
            stdin.write_all(&told).await?;
            drop(stdin);
            let mut said = Vec::new();
            stdout.read_to_end(&mut said).await?;
            said.reverse();
            let status: ExitStatus = child.wait().await?;
            Result::Ok((said == told, status.code()))
        });
    }
    let (mut right, mut codes) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (same, code) = task??;
        right += usize::from(same);
        codes += code.unwrap_or(-1000);
    }
    let mut endless = itself(0)?.spawn()?;
    endless.kill().await?;
    let ended = !endless.wait().await?.success();
    let missing = Command::new("a program that is not there").spawn().unwrap_err().kind();
    Ok(format!("process: {right} children answered, codes sum up to {codes}; killed {ended}; {missing:?}"))
}
