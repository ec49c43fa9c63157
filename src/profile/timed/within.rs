//! Arguments of a timed backend as those of the backend within it.

use super::Timed;
use crate::backend::{AttentionInputs, Backend, DeltaFilter, Ragged, Tokens};

/// The same layout for the backend within; words are shared.
pub fn within<B: Backend>(rows: &Ragged<Timed<B>>) -> Ragged<B> {
    Ragged {
        offsets: rows.offsets.clone(),
        device_offsets: rows.device_offsets.clone(),
        owners: rows.owners.clone(),
        by_length: rows.by_length.clone(),
        preceding: rows.preceding,
    }
}

pub fn tokens_within<B: Backend>(tokens: &Tokens<Timed<B>>) -> Tokens<B> {
    Tokens {
        ids: tokens.ids.clone(),
        occurrence_offsets: tokens.occurrence_offsets.clone(),
        occurrences: tokens.occurrences.clone(),
        rows: tokens.rows,
    }
}

pub fn filter_within<B: Backend>(filter: &DeltaFilter<Timed<B>>) -> DeltaFilter<B> {
    DeltaFilter { orders: filter.orders, edges: filter.edges, taps: filter.taps.clone() }
}

/// Calls with the inputs for the backend within.
pub fn on_inputs<B: Backend, T>(inputs: &AttentionInputs<Timed<B>>, call: impl FnOnce(&AttentionInputs<B>) -> T) -> T {
    let (query_rows, key_rows) = (within(inputs.query_rows), within(inputs.key_rows));
    let AttentionInputs { queries, keys, values, heads, scale, .. } = *inputs;
    call(&AttentionInputs { queries, keys, values, query_rows: &query_rows, key_rows: &key_rows, heads, scale })
}
