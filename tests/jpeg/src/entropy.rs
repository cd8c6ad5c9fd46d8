//! The tokens of a whole scan.

use crate::blocks::Blocks;
use crate::jpeg::Jpeg;
use crate::progressive::{self, EobRun};
use crate::scan::Scan;
use crate::sequential;
use crate::token::Token;

/// The tokens of a scan. `grids` holds the coefficients of every component of the frame.
#[must_use]
pub fn tokens(jpeg: &Jpeg, scan: &Scan, grids: &[Blocks]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut predictions = vec![0i32; scan.components.len()];
    let mut run = EobRun::new(jpeg.longest_eob_run);
    let mut units = 0;
    scan.for_each_unit(&jpeg.frame, |unit| {
        if scan.restart > 0 && units == scan.restart {
            run.flush(&mut out);
            out.push(Token::Restart);
            predictions.fill(0);
            units = 0;
        }
        units += 1;
        for place in unit {
            let index = scan.components[place.index];
            let block = grids[index].at(place.column, place.row);
            let component = &jpeg.frame.components[index];
            let prediction = &mut predictions[place.index];
            if jpeg.frame.is_sequential() {
                sequential::block(&mut out, component, block, prediction);
                continue;
            }
            if scan.first == 0 {
                if scan.high == 0 {
                    let dc = i32::from(block[0]) >> scan.low;
                    sequential::dc(&mut out, component.dc, dc, prediction);
                } else {
                    progressive::dc_refinement(&mut out, scan, block);
                }
            }
            if scan.last > 0 {
                run.use_table(component.ac, &mut out);
                if scan.high == 0 {
                    progressive::ac_first(&mut out, &mut run, scan, block);
                } else {
                    progressive::ac_refinement(&mut out, &mut run, scan, block);
                }
            }
        }
    });
    run.flush(&mut out);
    out
}
