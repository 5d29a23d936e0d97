//! The exit of a child process: a wait for its process handle.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::process::Child;

use crate::association::Association;
use crate::event::{Source, Token};
use crate::queue::WaitSource;
use crate::{Interest, Registry};

/// A source that is readable once a child has exited. From then on, its process object stays signalled.
pub(crate) struct ChildSource {
    association: Association,
    /// A duplicate of the child's handle, because the program can drop the `Child` first.
    process: WaitSource,
    id: u32,
}

impl ChildSource {
    pub fn new(child: &Child) -> io::Result<ChildSource> {
        let process = WaitSource::duplicate(child.as_raw_handle())?;
        Ok(ChildSource { association: Association::default(), process, id: child.id() })
    }

    pub fn id(&self) -> u32 {
        self.id
    }
}

impl Source for ChildSource {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check_unassociated(registry.id())?;
        self.process.register(registry.selector(), token, interests)?;
        self.association.associate(registry.id());
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.process.reregister(registry.selector(), token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.process.deregister();
        self.association = Association::default();
        Ok(())
    }
}
