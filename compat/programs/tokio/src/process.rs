//! Child processes: their output, their exit codes, and killing one.

use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::Result;

/// The child process: writes its input back in reverse order and exits with its number. Number 0 waits until it is
/// killed.
pub fn child(number: u8) -> Result<()> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    if number == 0 {
        loop {
            std::thread::park();
        }
    }
    input.reverse();
    std::io::stdout().write_all(&input)?;
    std::process::exit(number.into());
}

fn child_command(number: u8) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", &number.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

pub async fn run(children: u8) -> Result<String> {
    let mut tasks = JoinSet::new();
    for number in 1..=children {
        tasks.spawn(async move {
            let mut child = child_command(number)?.spawn()?;
            let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            // More bytes than the buffer of a pipe holds.
            let input: Vec<u8> = (0..300_000u32).map(|byte| (byte % 253) as u8 ^ number).collect();
            stdin.write_all(&input).await?;
            drop(stdin);
            let mut output = Vec::new();
            stdout.read_to_end(&mut output).await?;
            output.reverse();
            let status: ExitStatus = child.wait().await?;
            Result::Ok((output == input, status.code()))
        });
    }
    let (mut right, mut codes) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (same, code) = task??;
        right += usize::from(same);
        codes += code.unwrap_or(-1000);
    }
    let mut endless = child_command(0)?.spawn()?;
    endless.kill().await?;
    let ended = !endless.wait().await?.success();
    let missing = Command::new("a program that does not exist").spawn().unwrap_err().kind();
    Ok(format!("process: {right} children replied, sum of codes {codes}; killed {ended}; {missing:?}"))
}
