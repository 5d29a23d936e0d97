//! The guide: how to use this crate, step by step. Documentation only; the modules are empty.
//!
//! Every program in the guide is also a test of the crate.
//!
//! | chapter | answers |
//! |---|---|
//! | [A first event loop](first_event_loop) | Which steps does a program need, and why each? |
//! | [Modes](modes) | What does `poll` report in edge, level and oneshot mode, and which mode should a program use? |
//! | [Wakers, timers and threads](wakers_timers_and_threads) | How do other threads and deadlines reach the polling thread? |
//! | [One registration, three kernels](one_registration_three_kernels) | Which system calls does a registration make on epoll, kqueue and IOCP? |
//! | [Portability](portability) | What is the same on every system, what is a hint, and what does the crate not do? |
//! | [Coming from mio, polling or the book](coming_from) | How is this called here? |
//!
//! A reader of the book starts with the last chapter, and then reads *One registration, three kernels* beside the
//! book's chapters *Epoll*, *Kqueue* and *IOCP*.

#[doc = include_str!("first_event_loop.md")]
pub mod first_event_loop {}

#[doc = include_str!("modes.md")]
pub mod modes {}

#[doc = include_str!("wakers_timers_and_threads.md")]
pub mod wakers_timers_and_threads {}

#[doc = include_str!("one_registration_three_kernels.md")]
pub mod one_registration_three_kernels {}

#[doc = include_str!("portability.md")]
pub mod portability {}

#[doc = include_str!("coming_from.md")]
pub mod coming_from {}
