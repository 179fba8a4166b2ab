//! Time without data.
#![allow(dead_code, reason = "being built")]
mod event;
mod network;
mod routes;
