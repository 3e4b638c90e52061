# The Terraform provider that validates and plans the stacks in the tests. 6.x is what Pulumi's SDK 7 is made from.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
