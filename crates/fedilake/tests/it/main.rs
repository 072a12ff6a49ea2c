//! The program as its users meet it: one binary of tests over the built program.

mod asked;
mod faults;
mod graph;
mod kills;
mod program;
mod replay;
