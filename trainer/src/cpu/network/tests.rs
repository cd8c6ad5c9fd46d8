use super::*;
use crate::net::config::{InitConfig, ModelConfig};
use crate::net::sgd::SgdConfig;

#[test]
fn kernels_above_the_radius_are_scaled_down_to_it() {
    // Root mean squares of 5 / 2 and 1 / 2.
    let mut values = [3.0, 4.0, 0.0, 0.0];
    limit(&mut values, 0.5);
    assert_eq!(values, [0.6, 0.8, 0.0, 0.0]);
    let mut values = [1.0, 0.0, 0.0, 0.0];
    limit(&mut values, 0.5);
    assert_eq!(values, [1.0, 0.0, 0.0, 0.0]);

    let config = ModelConfig {
        width: 0.05,
        input_size: 67,
        classes: 3,
        init: InitConfig {
            std: 1.0,
            ..InitConfig::default()
        },
        ..ModelConfig::alexnet()
    };
    let mut network = Network::new(Model::new(&config, 1).unwrap());
    let all = |network: &Network| -> Vec<Vec<f32>> {
        let parameters = network.model().parameters().iter();
        parameters.map(|p| p.values().to_vec()).collect()
    };
    let before = all(&network);
    // conv1 is frozen, and conv2's kernels have a root mean square near 1 / sqrt(0.05).
    let moves = |p: &Parameter| (!p.name().starts_with("conv1")).then(Rate::default);
    network.limit_kernels(0.3, moves).unwrap();
    let after = all(&network);
    let parameters = network.model().parameters();
    for (number, parameter) in parameters.iter().enumerate() {
        let (name, dims) = (parameter.name(), parameter.tensor().dims());
        if dims.len() < 4 || name == "conv1.weight" {
            assert!(after[number] == before[number], "{name}");
            continue;
        }
        for kernel in after[number].chunks(dims[1..].iter().product()) {
            let squares: f64 = kernel.iter().map(|&w| f64::from(w).powi(2)).sum();
            let rms = (squares / kernel.len() as f64).sqrt();
            assert!(rms < 0.3 + 1e-6, "{name}: {rms}");
            assert!(name != "conv2.weight" || rms > 0.3 - 1e-6, "{name}: {rms}");
        }
    }
}

#[test]
fn a_parameter_without_a_rate_keeps_its_velocity_and_one_with_the_rate_0_does_not() {
    let config = ModelConfig {
        width: 0.05,
        input_size: 67,
        classes: 3,
        ..ModelConfig::alexnet()
    };
    let mut network = Network::new(Model::new(&config, 1).unwrap());
    let mut sgd = Sgd::new(network.model(), SgdConfig::default());
    for gradient in network.gradients_mut() {
        gradient.fill(1.0);
    }
    let rates = SgdConfig::default().rates(0.01);
    network.update(&mut sgd, rates).unwrap();
    let state = |network: &Network, sgd: &Sgd| {
        let (_, velocity) = sgd.state().unwrap().swap_remove(0);
        let velocity: Vec<f32> = velocity.flatten_all().unwrap().to_vec1().unwrap();
        let weight = network.model().parameters()[0].values().to_vec();
        (weight, velocity)
    };
    let before = state(&network, &sgd);
    assert!(before.1.iter().all(|value| *value != 0.0));
    network.update(&mut sgd, |_| None).unwrap();
    assert!(state(&network, &sgd) == before);
    let rates = SgdConfig::default().rates(0.0);
    network.update(&mut sgd, rates).unwrap();
    assert!(state(&network, &sgd) != before);
}
