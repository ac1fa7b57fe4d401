"""judgements, and the question of a handoff"""

import sqlalchemy as sa
from alembic import op

from bot.conversations.database import UtcDateTime

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('judgements',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('question_id', sa.String(length=32), nullable=False),
    sa.Column('article', sa.String(length=100), nullable=False),
    sa.Column('is_right', sa.Boolean(), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('judge', sa.String(length=32), nullable=False),
    sa.Column('judged_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['question_id'], ['messages.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('question_id', 'judge', 'article')
    )
    op.create_index('judgements_by_time', 'judgements', ['source', 'judged_at'], unique=False)
    op.add_column('handoffs', sa.Column('question_id', sa.String(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column('handoffs', 'question_id')
    op.drop_index('judgements_by_time', table_name='judgements')
    op.drop_table('judgements')
