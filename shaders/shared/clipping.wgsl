// Gradient clipping by the global norm, as PyTorch's clip_grad_norm_.

/// What clipping multiplies every gradient with; 1 where `clip_norm` is 0, which means off.
fn clip_factor(norm: f32, clip_norm: f32) -> f32 {
    if (clip_norm == 0.0) {
        return 1.0;
    }
    return min(1.0, clip_norm / (norm + 1e-6));
}
