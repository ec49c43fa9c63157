// Recurrent weights as `gru` for graphics hardware reads them: fours of a sum's terms, those of neighbouring units beside each other, so
// that a workgroup's loads are whole and each invocation has four weights of its own by one of them.

/// Terms of the sums: their number, the hidden size, is filled up with zeros to a multiple of so many.
const TERMS: u32 = 16;

/// Fours of terms of each sum.
fn fours_of(hidden: u32) -> u32 {
    return (hidden + TERMS - 1u) / TERMS * (TERMS / 4u);
}
