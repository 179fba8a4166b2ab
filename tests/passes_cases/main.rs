//! Each pass on text IR: what it changes, and what it must leave alone.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod addresses;
mod fold;
mod licm;
mod materialise;
mod redundant;
mod specialisation;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn pipeline_names_every_pass_in_order() {
    let names: Vec<&str> = kbc::passes::pipeline().iter().map(|pass| pass.name()).collect();
    let order = "inline specialise fold unroll extents combine descriptors composites affine fold cse dce materialise licm release pipeline allocate";
    assert_eq!(names.join(" "), order);
    assert!(kbc::passes::pipeline().iter().all(|pass| !pass.summary().is_empty()));
}
