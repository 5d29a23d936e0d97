//! The helpers of a port: devices, each of which serves a few dozen sockets.

use std::io;
use std::sync::{Arc, Mutex, Weak};

use super::afd::{cancel_all, open_device};
use super::port::{Handle, Port};
use crate::sync::lock;

/// So many sockets are served by one helper.
const SOCKETS_PER_HELPER: usize = 32;

/// The helpers of a port.
pub(super) struct Helpers {
    pool: Arc<Mutex<Pool>>,
}

struct Pool {
    helpers: Vec<Helper>,
    /// Those that have places left; the next to be used stands last.
    with_room: Vec<usize>,
    /// How many are open that have no socket: at most one, for the next to come.
    idle: usize,
}

/// A helper whose sockets have all left is closed, and opened anew when its turn comes.
struct Helper {
    device: Option<Arc<Handle>>,
    sockets: usize,
}

/// A socket's place at a helper. It is worth nothing any more once the port is gone, and its helpers with it.
pub(super) struct Place {
    pool: Weak<Mutex<Pool>>,
    helper: usize,
    device: Weak<Handle>,
}

impl Helpers {
    pub fn new() -> Helpers {
        Helpers { pool: Arc::new(Mutex::new(Pool { helpers: Vec::new(), with_room: Vec::new(), idle: 0 })) }
    }

    /// A place at a helper whose packets go to `port`.
    pub fn take_place(&self, port: &Port) -> io::Result<Place> {
        let mut pool = lock(&self.pool);
        let Pool { helpers, with_room, idle } = &mut *pool;
        let number = match with_room.last() {
            Some(number) => *number,
            None => {
                helpers.push(Helper { device: None, sockets: 0 });
                with_room.push(helpers.len() - 1);
                helpers.len() - 1
            }
        };
        let helper = &mut helpers[number];
        let device = match &helper.device {
            Some(device) => device,
            None => {
                let device = open_device(port)?;
                *idle += 1;
                helper.device.insert(Arc::new(device))
            }
        };
        let place = Place { pool: Arc::downgrade(&self.pool), helper: number, device: Arc::downgrade(device) };
        if helper.sockets == 0 {
            *idle -= 1;
        }
        helper.sockets += 1;
        if helper.sockets == SOCKETS_PER_HELPER {
            with_room.pop();
        }
        Ok(place)
    }

    /// Has all requests that are out completed at once.
    pub fn cancel_all(&self) {
        lock(&self.pool)
            .helpers
            .iter()
            .filter_map(|helper| helper.device.as_ref())
            .for_each(|device| cancel_all(device));
    }
}

impl Place {
    /// The device, if the port is there still.
    pub fn device(&self) -> Option<Arc<Handle>> {
        self.device.upgrade()
    }
}

/// Closes the helper if that was its last socket, unless no other is idle: there will be a next socket.
impl Drop for Place {
    fn drop(&mut self) {
        let pool = match self.pool.upgrade() {
            Some(pool) => pool,
            None => return,
        };
        let mut pool = lock(&pool);
        let Pool { helpers, with_room, idle } = &mut *pool;
        let helper = &mut helpers[self.helper];
        if helper.sockets == SOCKETS_PER_HELPER {
            with_room.push(self.helper);
        }
        helper.sockets -= 1;
        if helper.sockets == 0 {
            match *idle {
                0 => *idle = 1,
                _ => helper.device = None,
            }
        }
    }
}
