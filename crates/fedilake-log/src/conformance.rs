//! What every log must do, as a suite that every implementation runs.
