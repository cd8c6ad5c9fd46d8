//! What goes between the engine and candle on a GPU: parameters, images and logits as tensors, without a copy.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::DevicePtr;
use candle_core::{Device, Storage, Tensor};

use crate::compute::{CudaOptions, Precision};
use crate::engine::Engine;
use crate::net::config::ModelConfig;
use crate::net::sgd::SgdConfig;
use crate::net::{DropoutKey, Model, ModelError};
use crate::network::Network;
use crate::run::error::TrainError;
use crate::tools::check::comparisons::{Comparisons, same_bits};
use crate::tools::check::steps::{LR, ROWS, Random, engine};

/// More images than the engine has room for, so that they go through in groups.
const MANY: usize = 40;

/// Images of the first group: an engine for fewer has room for as many.
const GROUP: usize = 32;

/// Compares the engine's tensors on the GPU with what the engine itself says.
pub(in crate::tools::check) fn run(
    options: CudaOptions,
    tally: &mut Comparisons,
) -> Result<(), TrainError> {
    let options = CudaOptions {
        deterministic: true,
        ..options
    };
    let config = ModelConfig {
        width: 0.25,
        classes: 10,
        input_size: 67,
        ..ModelConfig::alexnet()
    };
    let precision = options.precision.name();
    let mut expect = |what: &str, holds| tally.expect(&format!("{what}, {precision}"), holds);
    let mut gpu = engine(options, &config, 1)?;
    let parameters = gpu.parameters()?;
    let device = parameters[0].device().clone();
    let number = options.devices.numbers().next();
    let place = match &device {
        Device::Cuda(cuda) => Some(cuda.cuda_stream().context().ordinal()),
        _ => None,
    };
    expect("parameters are tensors on the GPU", place == number);

    // A step changes the tensors where they lie.
    let addresses = addresses(&parameters);
    let before = values(&parameters)?;
    let batch = Arc::new(Random::new(&config, 3, ROWS));
    gpu.accumulate_pixels(&batch, DropoutKey { seed: 1, step: 0 }, None)?;
    gpu.step(&SgdConfig::default().rates(LR))?;
    // Nothing waits in between: the stream orders the update before candle's copy.
    let after = values(&parameters)?;
    let moved = before.iter().zip(&after).all(|(b, a)| !same_bits(b, a));
    expect("a step is seen in the tensors", moved);
    let host = gpu.host_state()?.model.parameters().iter();
    let same = host.zip(&after).all(|(own, a)| same_bits(&own.values(), a));
    expect("the tensors hold the engine's parameters", same);
    let again = gpu.parameters()?;
    expect(
        "parameters stay at their addresses",
        self::addresses(&again) == addresses,
    );

    // Images are read where they lie, also behind the beginning of their memory.
    let images = images(&Random::new(&config, 3, MANY), &config, &device)?;
    let few = images.narrow(0, 0, ROWS).map_err(ModelError::from)?;
    let found = values(&[gpu.logits(&few)?])?;
    expect(
        "logits of a tensor are those of its bytes",
        same_bits(&found[0], &gpu.logits_of_pixels(&batch)?.concat()),
    );
    let whole = gpu.logits(&images)?;
    let mut groups = Vec::new();
    for (first, rows) in [(0, GROUP), (GROUP, MANY - GROUP)] {
        let group = images.narrow(0, first, rows).map_err(ModelError::from)?;
        groups.push(gpu.logits(&group)?);
    }
    let whole = values(&[whole])?;
    expect(
        "logits of many images are those of their groups",
        same_bits(&whole[0], &values(&groups)?.concat()),
    );

    // Other parameters, and what the engine derives from them.
    let other = Model::new(&config, 9)?;
    for (number, parameter) in other.parameters().iter().enumerate() {
        let tensor = parameter.tensor().to_device(&device);
        gpu.set_parameter(number, &tensor.map_err(ModelError::from)?)?;
    }
    let set = values(&parameters)?;
    let mut pairs = other.parameters().iter().zip(&set);
    expect(
        "a parameter that is set is seen in the tensor",
        pairs.all(|(own, set)| same_bits(&own.values(), set)),
    );
    let found = values(&[gpu.logits(&few)?])?;
    let mut second = engine(options, &config, 9)?;
    let expected = second.logits_of_pixels(&batch)?.concat();
    expect(
        "logits after parameters were set are those of a network with them",
        same_bits(&found[0], &expected),
    );
    if options.precision == Precision::F32 {
        // On a device of a program's own, whose memory cudarc tracks by events.
        let number = number.expect("there is one");
        let own = Device::new_cuda_with_stream(number).map_err(ModelError::from)?;
        let mut network = Network::new(&config, 9, &own)?;
        let few = few.to_device(&Device::Cpu).map_err(ModelError::from)?;
        let refused = network.logits(&few).is_err() && network.logits(&images).is_err();
        expect("images on another device are refused", refused);
        let found = network.logits(&few.to_device(&own).map_err(ModelError::from)?)?;
        let kept = network.parameters()[0].1.clone();
        drop(network);
        expect(
            "logits of a network on a program's own device",
            same_bits(&values(&[found])?[0], &expected),
        );
        expect(
            "a parameter outlives its network",
            same_bits(&values(&[kept])?[0], &other.parameters()[0].values()),
        );
    }
    Ok(())
}

/// The images of a batch as the network sees them, on `device`.
fn images(batch: &Random, config: &ModelConfig, device: &Device) -> Result<Tensor, TrainError> {
    let side = config.input_size;
    let shape = (batch.labels.len(), side, side, 3);
    let images = Tensor::from_vec(batch.values(None), shape, device);
    Ok(images.map_err(ModelError::from)?)
}

/// The values of tensors, copied to the host by candle.
pub(super) fn values(tensors: &[Tensor]) -> Result<Vec<Vec<f32>>, ModelError> {
    let values = |tensor: &Tensor| Ok(tensor.flatten_all()?.to_vec1()?);
    tensors.iter().map(values).collect()
}

/// Where the values of tensors lie in GPU memory.
fn addresses(tensors: &[Tensor]) -> Vec<Option<u64>> {
    let address = |tensor: &Tensor| match &*tensor.storage_and_layout().0 {
        Storage::Cuda(storage) => {
            let slice = storage.as_cuda_slice::<f32>().ok()?;
            Some(slice.device_ptr(slice.stream()).0)
        }
        _ => None,
    };
    tensors.iter().map(address).collect()
}
