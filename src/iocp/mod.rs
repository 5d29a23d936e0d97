//! The queue on Windows: an I/O completion port, which is asked for readiness.
//!
//! # Two kinds of news
//!
//! A queue of *readiness* says "you can read now"; then the program reads, into whatever buffer it has at hand. A queue
//! of *completion* says "what you asked for is done": the program has started a read before, with a buffer that
//! belonged to the kernel from then on, and now the bytes are there. epoll and kqueue are of the first kind. The
//! completion port ([`port`]) is of the second: for every operation that was started on a handle it is given a *packet*
//! when the operation is over, and `GetQueuedCompletionStatusEx` takes the packets out.
//!
//! A program that is written for one kind does not run on the other. One that expects readiness has no buffer to give
//! away for each of ten thousand silent connections, and the buffers would have to live until the kernel lets go of
//! them, whatever the program drops in the meantime. The book lives with that: its Windows chapter starts a `WSARecv`
//! with a buffer inside the stream and copies from there, and so it can read, but not write, and only what it has asked
//! for beforehand.
//!
//! # From one to the other
//!
//! There is one operation whose completion *is* readiness. Behind every socket stands a driver, AFD, and `select`
//! itself is nothing but a request to it: "complete this when one of these sockets is as I say" ([`afd`]). `select`
//! waits for that request by itself. But a request is a request: made through a handle that is tied to a completion
//! port, it ends as a packet in the port. No byte moves, no buffer is lent but the request itself, and the read that
//! follows is the program's own. So:
//!
//! ```text
//!    register                 wait                                           the program
//!       │                       │                                                │
//!       ▼                       ▼            request                             │ read, write
//!     sock ──── queue ────► sock ────────────────────────► AFD ◄─── socket ◄─────┘
//!                               ▲                           │
//!                event ◄────────┴──── port ◄────────────────┘
//!                                             packet
//! ```
//!
//! Every source has a [`sock`]: what the program wants of it, and one request. A packet that comes in is turned into an
//! event, and the sock asks again when there is reason to.
//!
//! # And the way that is left to pipes
//!
//! Behind a pipe there is no AFD: nobody tells when it can be read, but the read itself. So with pipes we do what the
//! book does, for a [`pipe`] as a whole: a read is always under way, into a buffer of ours, and a write goes on from a
//! copy, and what has come of them is kept until the program asks. *Who completes* is the kernel, operation by
//! operation; *who is ready* is decided here, by what has completed: a pipe is readable while there are bytes that
//! nobody has taken, and writable while no write is under way.
//!
//! ```text
//!    register, read           the pipe's buffers                             the kernel
//!       │                       │              ReadFile, WriteFile               │
//!       ▼                       ▼              ConnectNamedPipe                  ▼
//!     pipe ───────────────── operations ─────────────────────────────────────► pipe ◄─── the other end
//!       ▲                                                                        │
//!       ├──────── event ◄────────────────── port ◄───────────────────────────────┘
//!       │                                    ▲                packet
//!       └── what is so still: our own packet ┘
//! ```
//!
//! It costs what readiness saves: two buffers for each pipe, and one more copy of every byte.
//!
//! # What is peculiar to it
//!
//! - *A request answers once.* That is oneshot by nature. Level mode asks again for every wait; edge mode asks again
//!   when the program has read or written ([`SourceState::rearm`]). The sources tell of that, since no kernel does.
//! - *A request can't be changed*, only cancelled, and its packet comes all the same. So nothing is asked before the
//!   next wait needs it, and a program that registers, reregisters and deregisters in between makes no system call. And
//!   a wait begins, for a moment, without a request that would most likely have to be cancelled.
//! - *A request is the kernel's until its packet is taken*: it writes there, even after the socket, the helper and the
//!   port have been closed. While it is out, the kernel owns a reference to the sock. The same goes for a pipe's
//!   operations and their buffers.
//! - *Requests may be made by any thread*, also while another one is blocked at the port.
//! - *Only sockets have an AFD*, and only pipes are read ahead.
//! - *A handle is tied to a port for good*, and a pipe with it; a socket is not, as it is the helper that is tied.
//!
//! AFD's interface is not documented, but `select`, `WSAPoll` and half of the servers on Windows depend on it, and it
//! has not changed in twenty years.
//!
//! # Invariants of this folder
//!
//! - A sock has at most one request out, and `AfdPoll` says so. Only while it is `Idle` the request is touched. A pipe
//!   has at most one operation of each kind out, and `Flight` says so.
//! - For every request and operation that is out there is one reference lent, one packet to come, and one in
//!   [`Port::lent`](port::Port). A request that is refused is answered by a packet of our own, so that it is no
//!   exception.
//! - The key of a packet says what its address means ([`port::AFD`], [`port::NOTIFIER`], or a pipe's address); tokens
//!   are none of the port's business.
//! - Locks are taken in this order: the selector's, of raw sockets; a sock's or a pipe's; the queue's; the helpers';
//!   the list of pipes. The last reference to a port is dropped under none of them.

mod afd;
pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod pipe;
mod pipe_ffi;
mod pipe_source;
mod poll_group;
mod port;
mod raw_sockets;
pub(crate) mod selector;
mod shared;
mod sock;
mod source;
mod winsock;

pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use pipe_source::PipeSource;
pub(crate) use selector::Selector;
pub(crate) use source::SourceState;
