//! What a source is here: a number that the model's kernel knows.

/// A descriptor of the model's kernel.
pub(crate) type Raw = usize;

pub(crate) trait AsRaw {
    fn number(&self) -> Raw;
}

pub(crate) fn raw(source: &impl AsRaw) -> Raw {
    source.number()
}

/// Something that the kernel can say is ready.
#[derive(Debug)]
pub(crate) struct Socket(pub Raw);

impl AsRaw for Socket {
    fn number(&self) -> Raw {
        self.0
    }
}
