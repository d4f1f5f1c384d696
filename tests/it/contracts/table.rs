//! The table that a contract's cases make: one line a case, as it happens.

/// The cases so far.
pub(super) struct Table {
    realm: &'static str,
    cases: usize,
    failed: Vec<String>,
}

impl Table {
    /// Begins with the heads, below whatever the test's runner has written of the line.
    pub(super) fn new(realm: &'static str) -> Self {
        println!("\n{}", row("realm", ["case", "expected", "got"], ""));
        Self { realm, cases: 0, failed: Vec::new() }
    }

    /// One case. `got` is what was observed, in the words of `expected`.
    pub(super) fn case(&mut self, name: &str, expected: &str, got: &str) {
        let verdict = if expected == got { "pass" } else { "FAIL" };
        let row = row(self.realm, [name, expected, got], verdict);
        println!("{row}");
        self.cases += 1;
        if expected != got {
            self.failed.push(row);
        }
    }

    /// Whether a case did.
    pub(super) fn failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Fails where a case did.
    pub(super) fn close(&self, store: &str) {
        let (failed, cases, realm) = (self.failed.len(), self.cases, self.realm);
        println!("{realm:<7}  {cases} cases on {store}, {failed} failed");
        assert!(failed == 0, "{failed} of {cases} cases of {realm} on {store} failed:\n{}", self.failed.join("\n"));
    }
}

fn row(realm: &str, [name, expected, got]: [&str; 3], verdict: &str) -> String {
    format!("{realm:<7}  {name:<66}  {expected:<78}  {got:<78}  {verdict}")
}
