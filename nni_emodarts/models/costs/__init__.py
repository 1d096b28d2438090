"""What a network of the space costs: its parameters, its FLOPs, or its measured latency."""

from nni_emodarts.models.costs.blocks import Block, network_blocks
from nni_emodarts.models.costs.counting import count_flops
from nni_emodarts.models.costs.encoders import encoders_cost, with_encoders
from nni_emodarts.models.costs.expectation import ExpectedCost, expected_cost, taken_probabilities
from nni_emodarts.models.costs.limits import check_limit, frames_per_second, within
from nni_emodarts.models.costs.table import Costs, CostsByStream, architecture_cost, operation_costs, space_costs

__all__ = [
    "Block",
    "Costs",
    "CostsByStream",
    "ExpectedCost",
    "architecture_cost",
    "check_limit",
    "count_flops",
    "encoders_cost",
    "expected_cost",
    "frames_per_second",
    "network_blocks",
    "operation_costs",
    "space_costs",
    "taken_probabilities",
    "with_encoders",
    "within",
]
