//! Rewriting a text rule by rule: what a regular expression's substitution does, for rules that see a few characters.

/// A text that rules change in turn.
pub(super) struct Text(Vec<char>);

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    /// The tokens: what stands between white space.
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.split(|letter| letter.is_whitespace()).filter(|word| !word.is_empty()).map(|word| word.iter().collect()).collect()
    }

    /// One space before and after.
    pub(crate) fn surround(&mut self) {
        self.0.insert(0, ' ');
        self.0.push(' ');
    }

    /// Goes through the text once, from left to right. Where `rule`, given the text and a place in it, finds something,
    /// it returns how many characters that is and what stands for them; the search goes on behind them.
    pub(crate) fn rewrite(&mut self, rule: impl Fn(&[char], usize) -> Option<(usize, String)>) {
        let mut rewritten = Vec::with_capacity(self.0.len() + 16);
        let mut at = 0;
        while at < self.0.len() {
            if let Some((length, replacement)) = rule(&self.0, at) {
                rewritten.extend(replacement.chars());
                at += length;
            } else {
                rewritten.push(self.0[at]);
                at += 1;
            }
        }
        self.0 = rewritten;
    }

    /// Puts a space before and after whatever `length` finds at the head of the rest (0: nothing).
    pub(crate) fn pad(&mut self, length: impl Fn(&[char]) -> usize) {
        self.rewrite(|text, at| match length(&text[at..]) {
            0 => None,
            found => Some((found, format!(" {} ", text[at..at + found].iter().collect::<String>()))),
        });
    }

    /// Puts a space before and after each of `letters`.
    pub(crate) fn pad_each(&mut self, letters: &str) {
        self.pad(|rest| usize::from(letters.contains(rest[0])));
    }

    /// Splits the final period from its word, with the closing quotes and brackets that follow it. Periods inside a
    /// sentence stay: they belong to abbreviations.
    pub(crate) fn split_final_period(&mut self) {
        const CLOSING: &str = "])}>\"' »”’";
        let trim = |end: usize, closing: &dyn Fn(char) -> bool| {
            let kept = self.0[..end].iter().rposition(|&letter| !closing(letter));
            kept.map_or(0, |place| place + 1)
        };
        let end = trim(self.0.len(), &char::is_whitespace);
        // White space of the trailing run that is a plain space counts as closing, as in the original rule.
        let period = trim(end, &|letter| CLOSING.contains(letter));
        if period >= 2 && self.0[period - 1] == '.' && self.0[period - 2] != '.' {
            let closing: String = self.0[period..end].iter().collect();
            self.0.truncate(period - 1);
            self.0.extend(format!(" . {closing} ").chars());
        }
    }
}

/// Whether `text` has exactly these letters at `at`.
pub(super) fn stands(text: &[char], at: usize, letters: &str) -> bool {
    let mut place = at;
    letters.chars().all(|letter| {
        place += 1;
        text.get(place - 1) == Some(&letter)
    })
}

/// Whether `text` has these (lower-case ASCII) letters at `at`, in either case.
pub(super) fn stands_in_any_case(text: &[char], at: usize, letters: &str) -> bool {
    let mut place = at;
    letters.chars().all(|letter| {
        place += 1;
        text.get(place - 1).is_some_and(|found| found.eq_ignore_ascii_case(&letter))
    })
}

/// Whether the character at `at` belongs to a word: a letter, a digit or `_`.
pub(super) fn in_word(text: &[char], at: usize) -> bool {
    text.get(at).is_some_and(|letter| letter.is_alphanumeric() || *letter == '_')
}

/// Whether a word starts or ends between `at - 1` and `at`.
pub(super) fn at_boundary(text: &[char], at: usize) -> bool {
    (at > 0 && in_word(text, at - 1)) != in_word(text, at)
}
