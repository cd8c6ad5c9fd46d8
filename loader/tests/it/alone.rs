//! Tests that need a process of their own.

use std::process::Command;

const CHILD: &str = "SHARDMILL_TEST_ALONE";

/// Runs `work` of the test called `name`, path included, in a process in which no other test runs.
pub(crate) fn alone(name: &str, work: fn()) {
    if std::env::var_os(CHILD).is_some() {
        work();
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads", "1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    // A name that no test has would run none and succeed.
    assert!(text.contains("1 passed"), "{name} alone: {child:?}");
    assert!(child.status.success(), "{name} alone: {child:?}");
}
