//! [`Backend`] for [`Cpu`]: borrows each matrix's memory, calls the kernel, stores what it returns.

use std::rc::Rc;

use super::{
    Cpu, CpuTensor, Real, accumulate, adam, attention, attention_weights, bilstm, conv_pool, cross_entropy, deltas, dropout, embedding,
    global_max, gradient_norm, linear, loss_scale, mfcc, position_embedding, residual_norm, sgd, z_score,
};
use crate::backend::MfccTables;
use crate::backend::{
    AdamStep, AttentionInputs, AttentionSaved, Backend, ConvPoolSaved, ConvPoolSinks, DeltaFilter, LstmSaved, LstmWeights, Matrix,
    NormSaved, NormSinks, Ragged, Result, Sink, StepSize, Tokens, ZScore,
};
use crate::base::numbers::{Activation, Precision};
use crate::base::philox::Stream;

impl<T: Real> Backend for Cpu<T> {
    type Element = T;
    type Tensor = CpuTensor<T>;
    type Words = Rc<[u32]>;
    type Readback = Vec<T>;

    fn device_name(&self) -> String {
        "cpu".to_owned()
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(values.iter().copied().map(T::of_f32).collect(), shape)
    }

    fn upload_words(&self, words: &[u32]) -> Rc<[u32]> {
        words.into()
    }

    fn zeros(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(vec![T::zero(); shape[0] * shape[1]], shape)
    }

    /// Filled with NaN: a kernel that forgets an element, or adds where it should set, shows.
    fn uninitialised(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(vec![T::nan(); shape[0] * shape[1]], shape)
    }

    fn submit(&self) {}

    fn start_read(&self, tensor: &CpuTensor<T>) -> Vec<T> {
        tensor.values().to_vec()
    }

    async fn finish_read(&self, readback: Vec<T>) -> Result<Vec<T>> {
        Ok(readback)
    }

    fn mfcc(&self, samples: &CpuTensor<T>, utterances: &Ragged<Self>, frames: &Ragged<Self>, tables: &MfccTables<Self>) -> CpuTensor<T> {
        let (window, mel, dct) = (tables.window.values(), tables.mel.values(), tables.dct.values());
        let settings = &tables.settings;
        let tables = mfcc::Tables { settings, window: &window, mel: &mel, mel_ranges: &tables.mel_ranges, dct: &dct };
        let y = mfcc::forward(&samples.values(), &utterances.offsets, &frames.offsets, tables);
        CpuTensor::new(y, [frames.rows(), settings.coefficients])
    }

    fn deltas(&self, x: &CpuTensor<T>, frames: &Ragged<Self>, filter: &DeltaFilter<Self>) -> CpuTensor<T> {
        let y = deltas::forward(&x.values(), &frames.offsets, x.columns(), &filter.taps.values(), filter);
        CpuTensor::new(y, [x.rows(), (1 + filter.orders) * x.columns()])
    }

    fn z_score(&self, x: &CpuTensor<T>, rows: &Ragged<Self>, statistics: &ZScore<Self>) -> CpuTensor<T> {
        let (mean, reciprocal) = (statistics.mean.values(), statistics.reciprocal_deviation.values());
        let y = z_score::forward(&x.values(), &rows.offsets, &statistics.groups, [&mean, &reciprocal], x.columns());
        CpuTensor::new(y, x.shape())
    }

    fn embedding(&self, table: &CpuTensor<T>, tokens: &Tokens<Self>) -> CpuTensor<T> {
        let y = embedding::forward(&table.values(), &tokens.ids, table.columns());
        CpuTensor::new(y, [tokens.rows, table.columns()])
    }

    fn embedding_backward(&self, dy: &CpuTensor<T>, tokens: &Tokens<Self>, table: &Sink<CpuTensor<T>>) {
        let dtable = embedding::backward(&dy.values(), &tokens.occurrence_offsets, &tokens.occurrences, dy.columns());
        table.store(dtable);
    }

    fn position_embedding(&self, x: &CpuTensor<T>, rows: &Ragged<Self>) -> CpuTensor<T> {
        CpuTensor::new(position_embedding::forward(&x.values(), &rows.offsets, x.columns()), x.shape())
    }

    fn accumulate(&self, x: &CpuTensor<T>, sink: &Sink<CpuTensor<T>>) {
        accumulate::accumulate(x, sink);
    }

    fn conv_pool(
        &self,
        x: &CpuTensor<T>,
        input: &Ragged<Self>,
        output: &Ragged<Self>,
        weight: &CpuTensor<T>,
        bias: &CpuTensor<T>,
        activation: Activation,
    ) -> (CpuTensor<T>, Rc<[u32]>) {
        let layout = conv_pool::Layout { input: &input.offsets, output: &output.offsets };
        let (y, winners) = conv_pool::forward(&x.values(), layout, &weight.values(), &bias.values(), x.columns(), activation);
        (CpuTensor::new(y, [output.rows(), bias.len()]), winners.into())
    }

    fn conv_pool_backward(&self, dy: &CpuTensor<T>, forward: &ConvPoolSaved<Self>, sinks: &ConvPoolSinks<CpuTensor<T>>) {
        let gradients = conv_pool::backward(
            &dy.values(),
            conv_pool::Saved { x: &forward.x.values(), y: &forward.y.values(), winners: forward.winners },
            conv_pool::Layout { input: &forward.input.offsets, output: &forward.output.offsets },
            &forward.weight.values(),
            [forward.x.columns(), dy.columns()],
            forward.activation,
            sinks.x.is_some(),
        );
        sinks.weight.store(gradients.weight);
        sinks.bias.store(gradients.bias);
        if let (Some(sink), Some(dx)) = (&sinks.x, gradients.x) {
            sink.store(dx);
        }
    }

    fn linear(
        &self,
        x: &CpuTensor<T>,
        weight: &CpuTensor<T>,
        bias: Option<&CpuTensor<T>>,
        activation: Activation,
        precision: Precision,
    ) -> CpuTensor<T> {
        let bias = bias.map(CpuTensor::values);
        let y = linear::forward(&x.values(), &weight.values(), bias.as_deref(), x.columns(), activation, precision);
        CpuTensor::new(y, [x.rows(), weight.rows()])
    }

    fn linear_backward_input(
        &self,
        dy: &CpuTensor<T>,
        gate: Option<&CpuTensor<T>>,
        weight: &CpuTensor<T>,
        dx: &Sink<CpuTensor<T>>,
        precision: Precision,
    ) {
        let gate = gate.map(CpuTensor::values);
        let sizes = [weight.columns(), weight.rows()];
        let gradient = linear::backward_input(&dy.values(), gate.as_deref(), &weight.values(), sizes, precision);
        dx.store(gradient);
    }

    fn linear_backward_weight(
        &self,
        dy: &CpuTensor<T>,
        gate: Option<&CpuTensor<T>>,
        x: &CpuTensor<T>,
        weight: &Sink<CpuTensor<T>>,
        bias: Option<&Sink<CpuTensor<T>>>,
        precision: Precision,
    ) {
        let gate = gate.map(CpuTensor::values);
        let sizes = [x.columns(), dy.columns()];
        let (dweight, dbias) = linear::backward_weight(&dy.values(), gate.as_deref(), &x.values(), sizes, precision);
        weight.store(dweight);
        if let Some(bias) = bias {
            bias.store(dbias);
        }
    }

    fn bilstm(
        &self,
        x: &CpuTensor<T>,
        rows: &Ragged<Self>,
        weights: &LstmWeights<CpuTensor<T>>,
        precision: Precision,
    ) -> (CpuTensor<T>, LstmSaved<CpuTensor<T>>) {
        let hidden = weights.recurrent.columns();
        let values = weights.map(CpuTensor::values);
        let forward = bilstm::forward(&x.values(), lstm_layout(x, rows, weights, precision), &values.map(|values| &**values));
        let matrix = |values: Vec<T>, width: usize| CpuTensor::new(values, [x.rows(), width]);
        let saved = LstmSaved {
            gates: matrix(forward.gates, 8 * hidden),
            cells: matrix(forward.cells, 2 * hidden),
            previous: matrix(forward.previous, 2 * hidden),
        };
        (matrix(forward.y, hidden), saved)
    }

    fn bilstm_backward(
        &self,
        dy: &CpuTensor<T>,
        x: &CpuTensor<T>,
        rows: &Ragged<Self>,
        weights: &LstmWeights<CpuTensor<T>>,
        saved: &LstmSaved<CpuTensor<T>>,
        dx: Option<&Sink<CpuTensor<T>>>,
        gradients: &LstmWeights<Sink<CpuTensor<T>>>,
        precision: Precision,
    ) {
        let computed = {
            let values = weights.map(CpuTensor::values);
            let (gates, cells, previous) = (saved.gates.values(), saved.cells.values(), saved.previous.values());
            let saved = bilstm::Saved { gates: &gates, cells: &cells, previous: &previous };
            let layout = lstm_layout(x, rows, weights, precision);
            bilstm::backward(&dy.values(), &x.values(), layout, &values.map(|values| &**values), saved, dx.is_some())
        };
        gradients.input.store(computed.weights.input);
        gradients.recurrent.store(computed.weights.recurrent);
        gradients.bias_input.store(computed.weights.bias_input);
        gradients.bias_recurrent.store(computed.weights.bias_recurrent);
        if let (Some(sink), Some(dx)) = (dx, computed.x) {
            sink.store(dx);
        }
    }

    fn attention(&self, inputs: &AttentionInputs<Self>) -> AttentionSaved<CpuTensor<T>> {
        let (queries, keys, values) = (inputs.queries.values(), inputs.keys.values(), inputs.values.values());
        let operands = attention::Operands { queries: &queries, keys: &keys, values: &values };
        let (output, log_sum_exp) = attention::forward(operands, attention_layout(inputs));
        AttentionSaved {
            output: CpuTensor::new(output, inputs.queries.shape()),
            log_sum_exp: CpuTensor::new(log_sum_exp, [inputs.queries.rows(), inputs.heads]),
        }
    }

    fn attention_backward(
        &self,
        dy: &CpuTensor<T>,
        inputs: &AttentionInputs<Self>,
        saved: &AttentionSaved<CpuTensor<T>>,
        sinks: [&Sink<CpuTensor<T>>; 3],
    ) {
        let gradients = {
            let (queries, keys, values) = (inputs.queries.values(), inputs.keys.values(), inputs.values.values());
            let operands = attention::Operands { queries: &queries, keys: &keys, values: &values };
            attention::backward(&dy.values(), operands, &saved.output.values(), &saved.log_sum_exp.values(), attention_layout(inputs))
        };
        sinks.into_iter().zip(gradients).for_each(|(sink, gradient)| sink.store(gradient));
    }

    fn attention_weights(&self, inputs: &AttentionInputs<Self>) -> CpuTensor<T> {
        let weights = attention_weights::forward(&inputs.queries.values(), &inputs.keys.values(), attention_layout(inputs));
        let count = weights.len();
        CpuTensor::new(weights, [count, 1])
    }

    fn residual_norm(
        &self,
        x: &CpuTensor<T>,
        residual: &CpuTensor<T>,
        scale: &CpuTensor<T>,
        shift: &CpuTensor<T>,
    ) -> (CpuTensor<T>, NormSaved<CpuTensor<T>>) {
        let forward = residual_norm::forward(&x.values(), &residual.values(), &scale.values(), &shift.values());
        let saved = NormSaved {
            normalised: CpuTensor::new(forward.normalised, x.shape()),
            reciprocal_deviation: CpuTensor::new(forward.reciprocal_deviation, [x.rows(), 1]),
        };
        (CpuTensor::new(forward.y, x.shape()), saved)
    }

    fn residual_norm_backward(
        &self,
        dy: &CpuTensor<T>,
        scale: &CpuTensor<T>,
        saved: &NormSaved<CpuTensor<T>>,
        sinks: &NormSinks<CpuTensor<T>>,
    ) {
        let (normalised, reciprocal) = (saved.normalised.values(), saved.reciprocal_deviation.values());
        let gradients = residual_norm::backward(&dy.values(), &scale.values(), &normalised, &reciprocal);
        sinks.x.store(gradients.sum.clone());
        sinks.residual.store(gradients.sum);
        sinks.scale.store(gradients.scale);
        sinks.shift.store(gradients.shift);
    }

    fn global_max(&self, streams: &[(&CpuTensor<T>, &Ragged<Self>)]) -> (CpuTensor<T>, Rc<[u32]>) {
        let batch = streams.first().map_or(0, |(_, rows)| rows.batch());
        let maxima: Vec<_> = streams.iter().map(|(x, rows)| global_max::forward(&x.values(), &rows.offsets, x.columns())).collect();
        let widths: Vec<usize> = streams.iter().map(|(x, _)| x.columns()).collect();
        let (y, winners): (Vec<_>, Vec<_>) = maxima.iter().map(|(y, winners)| (y.as_slice(), winners.as_slice())).unzip();
        let shape = [batch, widths.iter().sum()];
        (CpuTensor::new(global_max::concatenate(&y, &widths, batch), shape), global_max::concatenate(&winners, &widths, batch).into())
    }

    fn global_max_backward(&self, dy: &CpuTensor<T>, winners: &Rc<[u32]>, rows: &Ragged<Self>, column: usize, dx: &Sink<CpuTensor<T>>) {
        let shape = [rows.rows(), dx.tensor.columns()];
        let gradient = global_max::backward(&dy.values(), winners, dy.columns(), column, shape);
        dx.store(gradient);
    }

    fn cross_entropy(
        &self,
        logits: &CpuTensor<T>,
        labels: &Rc<[u32]>,
        class_weights: &CpuTensor<T>,
        smoothing: f32,
        total_weight: Option<f32>,
        scaling: &CpuTensor<T>,
    ) -> (CpuTensor<T>, CpuTensor<T>) {
        let scale = scaling.values()[0];
        let (loss, gradient) = cross_entropy::forward(&logits.values(), labels, &class_weights.values(), smoothing, total_weight, scale);
        (CpuTensor::new(vec![loss], [1, 1]), CpuTensor::new(gradient, logits.shape()))
    }

    fn dropout(&self, x: &CpuTensor<T>, rate: f32, stream: Stream, first: usize) -> CpuTensor<T> {
        CpuTensor::new(dropout::forward(&x.values(), rate, stream, first), x.shape())
    }

    fn gradient_norm(&self, gradients: &CpuTensor<T>) -> CpuTensor<T> {
        CpuTensor::new(vec![gradient_norm::forward(&gradients.values()), T::one()], [1, 2])
    }

    fn loss_scale(&self, norm: &CpuTensor<T>, scaling: &CpuTensor<T>) {
        loss_scale::update(&mut norm.values_mut(), &mut scaling.values_mut());
    }

    fn adam(&self, parameters: &CpuTensor<T>, gradients: &CpuTensor<T>, moments: [&CpuTensor<T>; 2], norm: &CpuTensor<T>, step: AdamStep) {
        let norm = norm.values();
        let [mut first, mut second] = moments.map(CpuTensor::values_mut);
        adam::update(&mut parameters.values_mut(), &gradients.values(), [&mut first, &mut second], &norm, step);
    }

    fn sgd(&self, parameters: &CpuTensor<T>, gradients: &CpuTensor<T>, norm: &CpuTensor<T>, size: StepSize) {
        sgd::update(&mut parameters.values_mut(), &gradients.values(), &norm.values(), size);
    }
}

fn lstm_layout<'a, T: Real>(
    x: &CpuTensor<T>,
    rows: &'a Ragged<Cpu<T>>,
    weights: &LstmWeights<CpuTensor<T>>,
    precision: Precision,
) -> bilstm::Layout<'a> {
    let hidden = weights.recurrent.columns();
    bilstm::Layout { inputs: x.columns(), hidden, offsets: &rows.offsets, precision }
}

fn attention_layout<'a, T: Real>(inputs: &AttentionInputs<'a, Cpu<T>>) -> attention::Layout<'a> {
    attention::Layout {
        query_offsets: &inputs.query_rows.offsets,
        key_offsets: &inputs.key_rows.offsets,
        heads: inputs.heads,
        width: inputs.queries.columns(),
        scale: f64::from(inputs.scale),
    }
}
