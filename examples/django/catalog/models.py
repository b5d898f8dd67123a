from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-added", "-id")

    def __str__(self) -> str:
        return self.name
