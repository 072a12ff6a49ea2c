//! How far a check is.

/// Tells somebody the share of a check that is done.
pub(super) struct Steps<'a> {
    total: f64,
    done: f64,
    progress: &'a mut dyn FnMut(f64),
}

impl<'a> Steps<'a> {
    pub(super) fn new(progress: &'a mut dyn FnMut(f64)) -> Steps<'a> {
        Steps { total: 0.0, done: 0.0, progress }
    }

    /// So much is to be done, in any measure.
    pub(super) fn expect(&mut self, total: f64) {
        self.total = total;
    }

    /// So much more of it is done.
    pub(super) fn pass(&mut self, done: f64) {
        self.done += done;
        if self.total > 0.0 {
            (self.progress)((self.done / self.total).min(1.0));
        }
    }
}
