//! A single test, so that no other test of this process opens or closes descriptors at the same time.

use std::fs;

mod support;
use support::*;

#[test]
fn a_kqueue_leaves_no_descriptor_behind() {
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    drop(Kqueue::new());
    let before = open();
    let kq = Kqueue::new();
    assert_eq!(open() - before, 6);
    let ends: Vec<_> = (0..100).map(|_| pipe()).collect();
    for (reader, writer) in &ends {
        kq.change(ident(reader), READ, EDGE).unwrap();
        kq.change(ident(writer), WRITE, EDGE).unwrap();
    }
    assert_eq!(open() - before, 206);
    kq.now();
    drop(ends);
    assert_eq!(open() - before, 6);
    drop(kq);
    assert_eq!(open(), before);
}
