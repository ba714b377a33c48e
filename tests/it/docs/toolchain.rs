//! The crate is built by the compiler that `rust-version` promises: clippy looks at what it uses of
//! the standard library, this at what it depends on.

use std::process::Command;

use serde_json::Value;

/// What a command of the toolchain prints.
fn printed(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the toolchain is installed");
    assert!(output.status.success(), "{command} {arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// `1.88` and `1.88.0`; the least where a package promises nothing.
fn version(package: &Value) -> Vec<u32> {
    let mut parts: Vec<u32> = package["rust_version"]
        .as_str()
        .unwrap_or_default()
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn no_dependency_needs_a_newer_compiler() {
    let about = printed("rustc", &["-vV"]);
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("the name of this platform");
    let metadata = printed(
        env!("CARGO"),
        &[
            "metadata",
            "--locked",
            "--offline",
            "--all-features",
            "--format-version=1",
            "--filter-platform",
            host,
        ],
    );
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");

    let ours = packages
        .iter()
        .find(|package| package["name"] == "derbysoft-go-auth")
        .map(version)
        .expect("this crate");
    let newer: Vec<_> = packages
        .iter()
        .filter(|package| version(package) > ours)
        .map(|package| format!("{} {}", package["name"], package["rust_version"]))
        .collect();

    assert!(packages.len() > 200, "{}", packages.len());
    assert_eq!(newer, [""; 0], "they need more than {ours:?}");
}
