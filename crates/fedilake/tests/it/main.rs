//! Tests of the built program from its users' point of view, in one binary.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod api;
mod asked;
mod attacks;
mod beside;
mod cluster;
mod columns;
mod command;
mod damage;
mod direct;
mod disks;
mod faults;
mod graph;
mod growth;
mod health;
mod hostile;
mod import;
mod import_again;
mod import_values;
mod kills;
mod lake_process;
mod live;
mod midway;
mod moved;
mod peaks;
mod program;
mod prompt;
mod reading;
mod reload;
mod replay;
mod servers;
mod strangers;
mod terminal;
mod versions;
mod views;
