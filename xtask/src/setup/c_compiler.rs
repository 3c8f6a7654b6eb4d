//! A C compiler, as SQLite is built from its source.

use std::env;

use super::{State, apt};
use crate::tools::{Result, find_program};

const PACKAGES: &[&str] = &["gcc", "libc6-dev"];

pub(super) fn state() -> State {
    let named = env::var("CC").ok();
    let names = named.as_deref().into_iter().chain(["cc", "gcc", "clang"]);
    let found = names.into_iter().find_map(find_program);
    match found {
        Some(compiler) => State::Present(compiler.display().to_string()),
        None => State::Missing {
            what: "there is no C compiler (cc, gcc or clang) on PATH".into(),
            command: apt::command(PACKAGES),
        },
    }
}

pub(super) fn install() -> Result<()> {
    apt::install(PACKAGES, "install a C compiler (on macOS: xcode-select --install) and put it on PATH")
}
