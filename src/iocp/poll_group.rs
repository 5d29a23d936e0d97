//! Poll groups: up to 32 sockets that share an AFD device.
//!
//! To cancel a request, AFD walks through all pending requests of the device. So the number of sockets per device is
//! limited, as in wepoll, and there are as many devices as the sockets require.

use std::io;
use std::sync::{Arc, Mutex, Weak};

use super::afd::{cancel_all, open_device};
use super::port::{Handle, Port};
use crate::sync::lock;

/// The number of sockets that share a device.
const MAX_GROUP_SIZE: usize = 32;

/// The poll groups of a selector.
pub(super) struct PollGroups {
    pool: Arc<Mutex<Pool>>,
}

struct Pool {
    groups: Vec<PollGroup>,
    /// The indices of groups that accept another socket. The last one is used next.
    not_full: Vec<usize>,
    /// The number of groups with an open device and no socket: at most one, kept for the next socket.
    open_and_empty: usize,
}

struct PollGroup {
    /// Closed when the last socket leaves the group, if another empty group already has an open device. Opened again
    /// when the group is used again.
    device: Option<Arc<Handle>>,
    sockets: usize,
}

/// The membership of a socket in a poll group. Ends when it is dropped. Does not keep the selector's devices open.
pub(super) struct GroupMember {
    pool: Weak<Mutex<Pool>>,
    group: usize,
    device: Weak<Handle>,
}

impl PollGroups {
    pub fn new() -> PollGroups {
        PollGroups { pool: Arc::new(Mutex::new(Pool { groups: Vec::new(), not_full: Vec::new(), open_and_empty: 0 })) }
    }

    /// Reserves a place in a group whose device is associated with `port`.
    pub fn acquire(&self, port: &Port) -> io::Result<GroupMember> {
        let mut pool = lock(&self.pool);
        let Pool { groups, not_full, open_and_empty } = &mut *pool;
        let index = match not_full.last() {
            Some(index) => *index,
            None => {
                groups.push(PollGroup { device: None, sockets: 0 });
                not_full.push(groups.len() - 1);
                groups.len() - 1
            }
        };
        let group = &mut groups[index];
        let device = match &group.device {
            Some(device) => device,
            None => {
                let device = open_device(port)?;
                // The group is open and empty until `sockets` is incremented below.
                *open_and_empty += 1;
                group.device.insert(Arc::new(device))
            }
        };
        let member = GroupMember { pool: Arc::downgrade(&self.pool), group: index, device: Arc::downgrade(device) };
        if group.sockets == 0 {
            *open_and_empty -= 1;
        }
        group.sockets += 1;
        if group.sockets == MAX_GROUP_SIZE {
            not_full.pop();
        }
        Ok(member)
    }

    /// Cancels all pending requests.
    pub fn cancel_all(&self) {
        lock(&self.pool).groups.iter().filter_map(|group| group.device.as_ref()).for_each(|device| cancel_all(device));
    }
}

impl Pool {
    fn release(&mut self, index: usize) {
        let group = &mut self.groups[index];
        if group.sockets == MAX_GROUP_SIZE {
            self.not_full.push(index);
        }
        group.sockets -= 1;
        match (group.sockets, self.open_and_empty) {
            // The last socket has left the group, and no other open device is unused: keep this one open.
            (0, 0) => self.open_and_empty = 1,
            // Another open device is unused already.
            (0, _) => group.device = None,
            _ => {}
        }
    }
}

impl GroupMember {
    /// Returns the device, or `None` if the selector was dropped.
    pub fn device(&self) -> Option<Arc<Handle>> {
        self.device.upgrade()
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            lock(&pool).release(self.group);
        }
    }
}
