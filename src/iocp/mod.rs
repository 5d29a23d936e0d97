//! The queue on Windows: an I/O completion port that reports readiness.
//!
//! # Readiness and completion
//!
//! A queue of *readiness* reports that the program can read now; the program then reads into any buffer. A queue of
//! *completion* reports that an operation is done: the program started a read earlier, with a buffer that belonged to
//! the kernel from then on, and now the buffer has the bytes. epoll and kqueue are queues of readiness. The completion
//! port ([`port`]) is a queue of completion: when an operation on a handle is done, the kernel queues a *packet* in the
//! port, and `GetQueuedCompletionStatusEx` dequeues the packets.
//!
//! A program that is written for one kind does not run on the other. A program that expects readiness has no buffer for
//! each of ten thousand idle connections. If it lends the kernel a buffer, the kernel uses the buffer until the
//! operation completes, even if the program has dropped the buffer. The book accepts both disadvantages: its Windows
//! chapter starts a `WSARecv` with a buffer inside the stream and copies from there. So the book's queue reports a
//! stream only after a read of this stream was requested, and it never reports a stream as writable.
//!
//! # From one to the other
//!
//! There is one operation whose completion *is* readiness. Every socket belongs to a driver, AFD (Ancillary Function
//! Driver), and `select` is a request to this driver: "complete this when one of these conditions holds for these
//! sockets" ([`afd`]). `select` waits for that request itself. But if a request is made through a handle that is
//! associated with a completion port, its completion is a packet in the port. The request copies no data and needs no
//! data buffer; the program reads afterwards. wepoll, which the book mentions in *Design*, and mio use the same method.
//! So:
//!
//! ```text
//!    register                 wait                                           the program
//!       │                       │                                                │
//!       ▼                       ▼            request                             │ read, write
//!     sock ── update queue ─► sock ──────────────────────► AFD ◄─── socket ◄─────┘
//!                               ▲                           │
//!                event ◄────────┴──── port ◄────────────────┘
//!                                             packet
//! ```
//!
//! Every registered socket has a [`sock`], which holds a set of events and one request. A registration, for example,
//! puts the sock into the *update queue* ([`selector_state`]). The next wait first *updates* each sock in the queue:
//! the wait submits the sock's request, or cancels a pending request that covers too few events. Each dequeued packet
//! becomes an event, or none, and the sock submits its request again if the mode requires it.
//!
//! The events in the set are *armed*. They are flags of AFD such as `AFD_POLL_RECEIVE`. An armed event is reported as
//! soon as its condition holds. To *arm* an event is to add it to this set, and to *disarm* it is to remove it.
//! Registering arms all events of the interest. A report disarms the reported events in edge mode, all events in
//! oneshot mode, and none in level mode. To *rearm* is to arm the events of a direction again after the program has
//! used that direction, in edge mode.
//!
//! # From completion to readiness, for pipes
//!
//! AFD does not know pipes: only a read that completes reports that a pipe can be read. So this crate reads a [`pipe`]
//! as the book reads a stream: while the pipe is registered and connected, and its buffer is empty, a read into that
//! buffer is pending. The program's `write` copies its bytes into another buffer and returns; the kernel then writes
//! from that buffer. The kernel *completes* operations; this crate derives *readiness* from them. A pipe is readable
//! while it holds bytes or an error that the program has not taken. While no write is pending, a pipe is writable if it
//! is connected or if its connect has failed.
//!
//! ```text
//!    register, read           the pipe's buffers                             the kernel
//!       │                       │              ReadFile, WriteFile               │
//!       ▼                       ▼              ConnectNamedPipe                  ▼
//!     Pipe ───────────────── operations ─────────────────────────────► kernel pipe ◄─── the other end
//!       ▲                                                                        │
//!       ├──────── event ◄────────────────── port ◄───────────────────────────────┘
//!       │                                    ▲                packet
//!       └── condition that already holds: posted packet
//! ```
//!
//! If a condition already holds when it is armed, no operation completes. The pipe then posts a packet itself.
//!
//! The buffers have a cost that readiness avoids: two buffers for each pipe, and one more copy of every byte.
//!
//! # From a wait to a packet, for other handles
//!
//! The object of a process, an event or a semaphore has no operations, but a thread can wait for it. A thread of the
//! system's pool waits ([`waitable`]), and when the object is signalled, that thread posts a packet to the port. A wait
//! consumes the signal of some objects, so a waitable remembers each signal until it is reported. Instead of an object,
//! a waitable can have a flag, which this crate sets when the console has an event.
//!
//! # What is special about this queue
//!
//! - *A request completes once*, like a oneshot, so only a new request can lead to another report. In level mode, the
//!   new request has the same events. In edge mode, it has the reported events only after the program has read or
//!   written, and priority data only after a registration. AFD does not report these reads and writes, so each source
//!   that owns a socket calls [`SourceState::rearm`] after them.
//! - *A request cannot be changed*, only cancelled, and its packet is queued even then. So a request is submitted when
//!   the next wait begins, and a program that registers, reregisters and deregisters a source between two waits causes
//!   no request. If a request would probably have to be cancelled soon, the first 1 ms of a wait runs without it
//!   ([`Sock::update`](sock::Sock::update)).
//! - *The kernel uses a request until its packet is dequeued*: it writes the result into the request even after the
//!   socket, the AFD device and the port are closed. So while the request is pending, the kernel owns a reference to
//!   the sock, a *kernel reference*. The packet returns this reference. The same holds for a pipe's operations and
//!   their buffers.
//! - *Any thread may submit a request*, even while another thread is blocked at the port.
//! - *AFD works only for sockets*. For other handles, a thread of the system's pool waits. For a pipe, but never for a
//!   socket, this crate starts a read before the program calls `read`.
//! - *A handle is associated with one port, permanently*, so a pipe belongs to one poll. A socket can be in several
//!   polls, because the AFD device is associated with the port, and not the socket.
//!
//! AFD's interface is not documented, but `select`, `WSAPoll` and many servers on Windows depend on it, and it has not
//! changed since Windows 2000.
//!
//! Differences from the book's chapter:
//!
//! - *Wake.* The book's `close_loop` posts a packet with the address of a local variable. This crate posts a packet
//!   with a key of its own and a null address ([`notifier`]), because the packet outlives the variable.
//! - *Modes.* The book's `register` starts one read, whose completion is the only report. This crate has all three
//!   modes: after a report, it submits the next request if the mode requires it ([`sock`]).
//! - *Requests.* The book starts a `WSARecv` into a buffer of the stream, and reports its completion. This crate
//!   submits a request that moves no data, and reports that the program can read or write, for the reasons given above.
//! - *Context of a request.* The book's `Operation` begins with the `WSAOVERLAPPED` of the read. The address of both is
//!   the same, and the packet returns it; the token follows in the struct. This crate passes the sock's address beside
//!   the request, as the `ApcContext` of `NtDeviceIoControlFile`, and the packet returns that address ([`afd`]). So the
//!   request need not be the first field, and the address can own a reference to the sock.
//! - *Expected failure.* The book expects `WSARecv` to fail with `WSA_IO_PENDING`, and does not cover immediate
//!   success. `NtDeviceIoControlFile` does not fail in either case: a packet follows both, and this crate treats both
//!   alike.
//! - *Structs.* The book's events are the packets (`OVERLAPPED_ENTRY`). This crate derives an event from a packet, or
//!   none, because the packet of a cancelled request is not an event ([`event`]).
//! - *List of events.* In both, the capacity of the list limits the number of packets.
//! - *Timeout.* When the timeout passes, `GetQueuedCompletionStatusEx` fails with `WAIT_TIMEOUT`. Neither the book nor
//!   this crate returns this error, because it only means that no packet has arrived ([`port`]).
//! - *Threads.* In both, one thread waits. The book's port lets as many threads run as there are processors; this
//!   crate's port has no limit that matters, because the kernel could otherwise delay a thread that takes over the poll
//!   ([`port`]).
//!
//! # Files, in the order of dependence
//!
//! Each file uses only files before it: [`ffi`], [`event`], [`port`], [`winsock`] (the socket that AFD knows), [`afd`]
//! (the request), [`poll_group`] (AFD devices), [`sock`], [`pipe`], [`selector_state`] (the update queue), [`source`],
//! [`source_sockets`] (sockets that the program registers by number), [`source_handles`] (other handles that the
//! program registers by number), [`selector`], [`notifier`], [`pipe_source`], [`wait_source`]. [`waitable`] precedes
//! [`selector_state`]. A reader who wants only sockets skips [`pipe`], [`pipe_source`], [`source_sockets`],
//! [`waitable`], [`wait_source`] and [`source_handles`].
//!
//! # Invariants of this folder
//!
//! - A sock has at most one pending request, and `RequestState` records it. This crate writes the request only in the
//!   state `Idle`. A pipe has at most one pending operation of each kind, and `OperationState` records it. A waitable
//!   has at most one wait.
//! - Each pending request or operation owns one `Arc` reference, produces exactly one packet, and counts one in
//!   [`Port::pending_packets`](port::Port::pending_packets). If the kernel rejects a request, this crate posts the
//!   packet of that request itself.
//! - A wait of the thread pool owns one `Arc` reference and counts one in the same number, until its callback posts a
//!   packet, which takes over both, or until the wait is ended. The callback takes no lock.
//! - The key of a packet determines what its `lpOverlapped` points to. The key is [`port::KEY_AFD`],
//!   [`port::KEY_WAITABLE`], [`port::KEY_NOTIFIER`], or that of a pipe. The port knows no tokens. A packet with another
//!   key, or with the key of a pipe and an address outside it, is the program's: `decode` uses neither number.
//! - Locks are taken in this order: first the lock of `SourceSockets` or `SourceHandles`; then one of `Sock::state`,
//!   `Pipe::state`, `Waitable::state`, `SelectorState::queue`, `SelectorState::pipes` and `SelectorState::waitables`;
//!   last the lock of `PollGroups`. No lock of a sock, a pipe or a waitable is held while the last reference to
//!   [`selector_state::SelectorState`] is dropped.

mod afd;
pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod pipe;
mod pipe_source;
mod poll_group;
mod port;
pub(crate) mod selector;
mod selector_state;
mod sock;
mod source;
mod source_handles;
mod source_sockets;
mod wait_source;
mod waitable;
mod winsock;

pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use pipe_source::PipeSource;
pub(crate) use selector::Selector;
pub(crate) use source::SourceState;
pub(crate) use wait_source::WaitSource;
