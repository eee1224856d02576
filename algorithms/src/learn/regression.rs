//! Regressions on a handful of columns, with standard errors that hold under unequal variances.
//!
//! Ordinary least squares, and Poisson pseudo-maximum-likelihood with a log link (Santos Silva and
//! Tenreyro, "The Log of Gravity", 2006), whose estimates are consistent whenever the mean is
//! right, be the counts Poisson or not, and which takes zeros as they are. Covariances are
//! sandwiches: HC1 (White 1980 with n/(n-k)) and HC3 (MacKinnon and White 1985), which holds best
//! in small samples (Long and Ervin 2000).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use thiserror::Error;

use crate::linalg::cholesky;

/// Columns at most.
pub const COLUMNS: usize = 8;
/// Steps of the Poisson regression at most.
const STEPS: usize = 50;
/// Linear predictors lie within this; exp stays finite.
const PREDICTOR: f64 = 50.0;
/// 1 - leverage is at least this, so that an observation that is fitted exactly stays finite.
const FREE: f64 = 1e-6;

/// How the variance of the coefficients is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covariance {
    /// Squared residuals times n / (n - k).
    Hc1,
    /// Squared residuals over (1 - leverage) squared.
    Hc3,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// Not more observations than columns, or none at all, or too many columns.
    #[error("{rows} observations do not fix {columns} coefficients")]
    Shape {
        /// Observations.
        rows: usize,
        /// Coefficients.
        columns: usize,
    },
    /// A column is a linear combination of others.
    #[error("the columns are linearly dependent")]
    Dependent,
    /// A number of the input is not finite, or a count is negative.
    #[error("an observation is not a usable number")]
    Input,
    /// There is no maximum, as when all counts under some condition are zero.
    #[error("the likelihood has no maximum")]
    Diverged,
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Coefficients, one a column.
    pub coefficients: Array1<f64>,
    /// Robust covariance of the coefficients.
    pub covariance: Array2<f64>,
    /// Conventional covariance: with the mean square of what the regression leaves, in units of its
    /// standard deviation, as the only scale; of counts at least 1.
    pub conventional: Array2<f64>,
}

impl Fit {
    /// Robust standard error of coefficient `column`; finite and at least 0.
    #[must_use]
    pub fn standard_error(&self, column: usize) -> f64 {
        self.covariance[[column, column]].max(0.0).sqrt()
    }

    /// The larger of the robust and the conventional standard error, for robust ones are too small
    /// in small samples more often than conventional ones (Angrist and Pischke, "Mostly Harmless
    /// Econometrics", 2009, section 8.1).
    #[must_use]
    pub fn cautious_error(&self, column: usize) -> f64 {
        self.standard_error(column).max(self.conventional[[column, column]].max(0.0).sqrt())
    }
}

/// Least squares of `response` on the columns of `design`.
///
/// # Errors
/// See [`FitError`].
pub fn least_squares(
    design: ArrayView2<'_, f64>,
    response: ArrayView1<'_, f64>,
    covariance: Covariance,
) -> Result<Fit, FitError> {
    check(design, response)?;
    let ones = Array1::ones(design.nrows());
    let (coefficients, inverse) = weighted(design, response, ones.view())?;
    let residuals = &response - &design.dot(&coefficients);
    let covariance = sandwich(design, residuals.view(), ones.view(), &inverse, covariance);
    let scale = residuals.dot(&residuals) / free(design);
    finite(Fit { coefficients, covariance, conventional: inverse * scale })
}

/// Poisson pseudo-maximum-likelihood of `response`, at least 0, on the columns of `design`, by
/// iteratively reweighted least squares with halved steps.
///
/// # Errors
/// See [`FitError`].
pub fn poisson(
    design: ArrayView2<'_, f64>,
    response: ArrayView1<'_, f64>,
    covariance: Covariance,
) -> Result<Fit, FitError> {
    check(design, response)?;
    let mean = response.mean().unwrap_or(0.0);
    if response.iter().any(|&count| count < 0.0) {
        return Err(FitError::Input);
    }
    if mean <= 0.0 {
        return Err(FitError::Diverged);
    }
    let mut predictor = response.mapv(|count| f64::midpoint(count, mean).ln());
    let mut means = predictor.mapv(f64::exp);
    let mut coefficients: Option<Array1<f64>> = None;
    let mut loss = f64::INFINITY;
    for _ in 0..STEPS {
        let working = &predictor + &((&response - &means) / &means);
        // Weights that vanish on the way, unlike at the start, do so because means go to 0.
        let solved = weighted(design, working.view(), means.view());
        let (mut next, _) = solved
            .map_err(|error| if coefficients.is_some() { FitError::Diverged } else { error })?;
        let mut next_loss = evaluate(design, response, &next, &mut predictor, &mut means);
        if let Some(present) = &coefficients {
            for _ in 0..STEPS {
                if next_loss <= loss || (&next - present).iter().all(|step| step.abs() < 1e-12) {
                    break;
                }
                next = (&next + present) * 0.5;
                next_loss = evaluate(design, response, &next, &mut predictor, &mut means);
            }
        }
        let is_done = (loss - next_loss).abs() <= 1e-12 * (next_loss.abs() + 0.1);
        coefficients = Some(next);
        loss = next_loss;
        if is_done {
            let coefficients = coefficients.ok_or(FitError::Diverged)?;
            if predictor.iter().any(|predictor| predictor.abs() >= PREDICTOR - 1.0) {
                return Err(FitError::Diverged);
            }
            let (_, inverse) =
                weighted(design, working.view(), means.view()).map_err(|_| FitError::Diverged)?;
            let residuals = &response - &means;
            let covariance = sandwich(design, residuals.view(), means.view(), &inverse, covariance);
            let scale = (&residuals * &residuals / &means).sum() / free(design);
            let conventional = inverse * scale.max(1.0);
            return finite(Fit { coefficients, covariance, conventional });
        }
    }
    Err(FitError::Diverged)
}

/// Sets predictor and means, and gives the negative log-likelihood without its constant.
fn evaluate(
    design: ArrayView2<'_, f64>,
    response: ArrayView1<'_, f64>,
    coefficients: &Array1<f64>,
    predictor: &mut Array1<f64>,
    means: &mut Array1<f64>,
) -> f64 {
    *predictor = design.dot(coefficients).mapv(|value| value.clamp(-PREDICTOR, PREDICTOR));
    *means = predictor.mapv(f64::exp);
    let terms = response.iter().zip(predictor.iter()).zip(means.iter());
    terms.map(|((count, predictor), mean)| mean - count * predictor).sum()
}

fn check(design: ArrayView2<'_, f64>, response: ArrayView1<'_, f64>) -> Result<(), FitError> {
    let (rows, columns) = design.dim();
    if columns == 0 || columns > COLUMNS || rows <= columns || response.len() != rows {
        return Err(FitError::Shape { rows, columns });
    }
    let is_usable = design.iter().chain(response.iter()).all(|value| value.abs() < 1e100);
    if is_usable { Ok(()) } else { Err(FitError::Input) }
}

/// Observations beyond the number of coefficients.
fn free(design: ArrayView2<'_, f64>) -> f64 {
    (design.nrows() - design.ncols()) as f64
}

fn finite(fit: Fit) -> Result<Fit, FitError> {
    let covariances = fit.covariance.iter().chain(fit.conventional.iter());
    let mut all = fit.coefficients.iter().chain(covariances);
    if all.all(|value| value.is_finite()) { Ok(fit) } else { Err(FitError::Dependent) }
}

/// The weighted least squares solution and the inverse of X'WX.
fn weighted(
    design: ArrayView2<'_, f64>,
    response: ArrayView1<'_, f64>,
    weights: ArrayView1<'_, f64>,
) -> Result<(Array1<f64>, Array2<f64>), FitError> {
    let columns = design.ncols();
    let mut gram = Array2::<f64>::zeros((columns, columns));
    let mut moments = Array1::<f64>::zeros(columns);
    for ((row, &value), &weight) in design.rows().into_iter().zip(response).zip(weights) {
        for i in 0..columns {
            let weighted = weight * row[i];
            moments[i] += weighted * value;
            for j in 0..=i {
                gram[[i, j]] += weighted * row[j];
            }
        }
    }
    let inverse = cholesky::inverse(&gram).ok_or(FitError::Dependent)?;
    Ok((inverse.dot(&moments), inverse))
}

/// bread x meat x bread; `weights` are those of the regression that `inverse` belongs to.
fn sandwich(
    design: ArrayView2<'_, f64>,
    residuals: ArrayView1<'_, f64>,
    weights: ArrayView1<'_, f64>,
    inverse: &Array2<f64>,
    covariance: Covariance,
) -> Array2<f64> {
    let (rows, columns) = design.dim();
    let mut meat = Array2::<f64>::zeros((columns, columns));
    for ((row, &residual), &weight) in design.rows().into_iter().zip(residuals).zip(weights) {
        let free = match covariance {
            Covariance::Hc1 => 1.0,
            Covariance::Hc3 => {
                let leverage = weight * row.dot(&inverse.dot(&row));
                (1.0 - leverage).max(FREE)
            }
        };
        let square = (residual / free).powi(2);
        for i in 0..columns {
            for j in 0..columns {
                meat[[i, j]] += square * row[i] * row[j];
            }
        }
    }
    let factor = match covariance {
        Covariance::Hc1 => rows as f64 / (rows - columns) as f64,
        Covariance::Hc3 => 1.0,
    };
    inverse.dot(&meat).dot(inverse) * factor
}
