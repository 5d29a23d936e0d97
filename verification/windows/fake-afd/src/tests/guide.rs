//! The transcript of IOCP in the guide's chapter *One registration, three kernels*.

use crate::kernel::layout::RECEIVE;
use crate::kernel::Behaviour;
use crate::world::{Loop, World};
use crate::Interest;

const CHAPTER: &str = include_str!("../../../../../src/guide/one_registration_three_kernels.md");

fn without_extra_blanks(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the lines of the chapter's transcript that begins with this call of `Poll::new`. Blanks do not count.
fn transcript(first_call: &str) -> Vec<String> {
    let blocks = CHAPTER.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let first_line = format!("Poll::new {first_call}");
    let found: Vec<_> = blocks.filter(|block| without_extra_blanks(block).starts_with(&first_line)).collect();
    assert_eq!(found.len(), 1, "the number of transcripts that begin with {first_call}");
    // A line that ends with a comma continues in the next line.
    found[0].replace(",\n", ", ").lines().map(without_extra_blanks).collect()
}

#[test]
fn the_transcript_in_the_guide_lists_the_calls() {
    let world = World::new(Behaviour::WINDOWS);
    let (mut stream, peer) = world.pair();
    let mut lines = Vec::new();
    let begin = || world.kernel().trace = Some(Vec::new());
    // The first line of a step begins with the name of the step.
    let mut end = |step: &str| {
        let calls = world.kernel().trace.take().unwrap_or_default();
        let first = lines.len();
        lines.extend(calls);
        lines[first].insert_str(0, &format!("{step} "));
    };

    begin();
    let mut queue = Loop::with_capacity(16);
    end("Poll::new");
    begin();
    queue.register(&mut stream, 7, Interest::READABLE);
    end("register");

    peer.sends(5);
    begin();
    assert_eq!(queue.wait(), [(7, RECEIVE)]);
    end("poll");
    begin();
    assert_eq!(stream.drain(), (5, false));
    assert_eq!(world.kernel().trace.take(), Some(Vec::new()), "reading makes no call of the queue");

    begin();
    assert_eq!(queue.now(), []);
    end("poll");
    begin();
    queue.deregister(&mut stream);
    end("deregister");
    begin();
    assert_eq!(queue.now(), []);
    end("poll");

    let printed = transcript("CreateIoCompletionPort");
    assert_eq!(printed, lines, "the calls are:\n{}\n", lines.join("\n"));
}
