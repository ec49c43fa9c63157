//! The one list of kernels: [`kernels`] hands it to whoever needs something for each of them.

/// Calls `$then! { … }` with every kernel, in the order of the model: the name that its files have, its operation with what it is
/// generic over (`B` the backend, `T` an operand), and what a backend implements for it.
///
/// The modules of the operations and of both implementations, the sum of their traits ([`super::Backend`]) and the list of cases
/// follow from it.
macro_rules! kernels {
    ($($then:ident)::+ $(, $($argument:tt)*)?) => {
        $($then)::+! {
            $($($argument)*)?
            mfcc                  Mfcc<B, T>                Run
            deltas                Deltas<B, T>              Run
            functionals           Functionals<B, T>         Run
            pitch_candidates      PitchCandidates<B, T>     Run
            pitch_track           PitchTrack<B, T>          Run
            loudness              Loudness<B, T>            Run
            contour_functionals   ContourFunctionals<B, T>  Run
            z_score               ZScore<B, T>              Run
            spec_augment          SpecAugment<B, T>         Run
            embedding             Embedding<B, T>           Differentiate
            position_embedding    PositionEmbedding<B, T>   Run
            accumulate            Accumulate<T>             Run
            conv_pool             ConvPool<B, T>            Differentiate
            windows               Windows<B, T>             Differentiate
            linear                Linear<T>                 Differentiate
            bilstm                Bilstm<B, T>              Differentiate
            gru                   Gru<B, T>                 Differentiate
            attention             Attention<B, T>           Differentiate
            attention_weights     AttentionWeights<B, T>    Run
            additive_alignment    AdditiveAlignment<B, T>   Differentiate
            segment_mean          SegmentMean<B, T>         Differentiate
            row_scores            RowScores<B, T>           Differentiate
            segment_softmax       SegmentSoftmax<B, T>      Differentiate
            weighted_sum          WeightedSum<B, T>         Differentiate
            residual_norm         ResidualNorm<T>           Differentiate
            global_max            GlobalMax<B, T>           Differentiate
            concat                Concat<T>                 Differentiate
            columns               Columns<T>                Differentiate
            cross_entropy         CrossEntropy<B, T>        Run
            sigmoid_cross_entropy SigmoidCrossEntropy<B, T> Run
            mse                   Mse<T>                    Run
            mmd                   Mmd<T>                    Run
            dropout               Dropout<T>                Run
            gradient_norm         GradientNorm<T>           Run
            clip_values           ClipValues<T>             Run
            clip_tensors          ClipTensors<B, T>         Run
            loss_scale            LossScale<T>              Run
            adam                  Adam<T>                   Run
            sgd                   Sgd<T>                    Run
            average               Average<T>                Run
        }
    };
}

/// Declares a private module for each kernel.
macro_rules! modules {
    ($($name:ident $operation:ident<$($parameter:ident),+> $trait:ident)*) => {
        $(mod $name;)*
    };
}

pub(crate) use {kernels, modules};
