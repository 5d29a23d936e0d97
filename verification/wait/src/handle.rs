//! The sources of the model: numbers that its kernel knows.

/// A descriptor of the model's kernel.
pub(crate) type Raw = usize;

pub(crate) trait AsRaw {
    fn number(&self) -> Raw;
}

pub(crate) fn raw(source: &impl AsRaw) -> Raw {
    source.number()
}

/// A source of the model's kernel.
#[derive(Debug)]
pub(crate) struct Socket(pub Raw);

impl AsRaw for Socket {
    fn number(&self) -> Raw {
        self.0
    }
}
