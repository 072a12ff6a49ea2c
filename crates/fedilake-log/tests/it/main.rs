//! Tests of the log from outside: what it promises, against crashes, damage and full disks.

#![allow(clippy::unwrap_used)]

mod conforms;
mod life;
